//! The table of `README.md` names tests that are there.

use std::fs;
use std::path::{Path, PathBuf};

const README: &str = include_str!("../README.md");

/// The columns of each row that says which test holds against which break.
fn rows() -> Vec<Vec<&'static str>> {
    let lines = README.lines().filter(|line| line.starts_with("| "));
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect();
    lines.skip(1).map(cells).collect()
}

/// What a cell names between backticks: paths of files and of tests.
fn names(cell: &str) -> Vec<&str> {
    let code = cell.split('`').skip(1).step_by(2);
    code.filter(|name| name.contains("::") || name.ends_with(".rs"))
        .collect()
}

/// Whether a name is that of a file, or of a test in its module's.
fn is_there(name: &str) -> bool {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    if name.ends_with(".rs") {
        return workspace.join(name).is_file();
    }
    let (module, test) = name.rsplit_once("::").expect("a module");
    let module: PathBuf = match module.strip_prefix("tenancy_runtime::") {
        Some(module) => workspace.join("tenancy-runtime/src").join(path(module)),
        None => workspace.join("tests/tests").join(path(module)),
    };
    let files = [module.with_extension("rs"), module.join("mod.rs")];
    let texts = files
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok());
    let called = format!("fn {test}(");
    texts.into_iter().any(|text| {
        text.split_once(&called).is_some_and(|(before, _)| {
            // With what stands between it and the end of the item before.
            let (_, attributes) = before.rsplit_once("\n\n").unwrap_or(("", before));
            attributes.contains("test") || before.contains("proptest!")
        })
    })
}

fn path(module: &str) -> String {
    module.replace("::", "/")
}

#[test]
fn every_test_that_the_table_names_is_there() {
    let mut named = 0;
    for row in rows() {
        let [number, _, tests, twin] = row[..] else {
            panic!("four columns: {row:?}");
        };
        assert!(!names(tests).is_empty(), "row {number} names no test");
        let twins = names(twin);
        let has_twin = twin.starts_with("in it") || !twins.is_empty();
        assert!(has_twin, "row {number} names no twin");
        for name in names(tests).into_iter().chain(twins) {
            assert!(is_there(name), "row {number}: there is no `{name}`");
            named += 1;
        }
    }
    assert!(named > 40, "{named}");
    // What is not there is seen.
    for absent in [
        "threats::no_such_test",
        "nowhere::what_looks_like_sql_is_data",
        "threats::titles",
        "ui-tests/fail/isolation/nothing.rs",
    ] {
        assert!(!is_there(absent), "{absent}");
    }
}

#[test]
fn the_breaks_that_this_project_answers_are_in_the_table() {
    let rows = rows();
    let numbers: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    for row in [
        1, 2, 3, 4, 5, 6, 10, 11, 12, 14, 15, 17, 18, 19, 33, 34, 37, 38, 39,
    ] {
        let count = numbers.iter().filter(|number| **number == row.to_string());
        assert_eq!(count.count(), 1, "row {row}");
    }
}
