//! Compiles every case and compares the compiler's words.

#[test]
fn what_must_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("fail/model/*.rs");
    cases.compile_fail("fail/handler/*.rs");
    cases.compile_fail("fail/app/*.rs");
    cases.compile_fail("fail/isolation/*.rs");
    cases.compile_fail("fail/migrations/*.rs");
    cases.compile_fail("fail/plans/*.rs");
}
