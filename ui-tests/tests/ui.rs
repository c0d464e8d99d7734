//! Compiles every case and compares the compiler's words.

#[test]
fn models() {
    trybuild::TestCases::new().compile_fail("fail/model/*.rs");
}
