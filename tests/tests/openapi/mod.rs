//! What is told of an application's routes is true, as others see it: a validator of
//! OpenAPI documents, a browser, and a client that reads the description and tries
//! everything that it allows and forbids.

mod document;
mod fuzz;
mod operators;
mod page;

use std::path::{Path, PathBuf};

use axum::http::StatusCode;
use integration::process::Workplace;
use serde_json::Value;
use tenancy::config::Config;
use tenancy::{App, Error};
use tokio::process::Command;

/// A program's path from the environment of `cargo xtask test`.
fn program(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    let path = path.unwrap_or_else(|| panic!("{variable}: run `cargo xtask test -- FILTER`"));
    PathBuf::from(path)
}

/// The description that `app` would serve.
fn described(app: &App, vars: &[(&str, &str)]) -> Value {
    let vars = vars.iter().map(|&(n, v)| (n.to_owned(), v.to_owned()));
    let config = Config::from_vars(app.defaults(), vars).map_err(Error::CannotStart);
    app.openapi_document(&config.unwrap_or_else(|error| panic!("{error}")))
}

/// What runs in `folder` and ends by itself: whether it was content, and what it said.
async fn run(command: &mut Command, folder: &Path) -> (bool, String) {
    let output = command.current_dir(folder).kill_on_drop(true).output();
    let output = output.await.expect("the program");
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}

/// Whether others take it for an OpenAPI document.
async fn is_valid(document: &Value, place: &Workplace) -> (bool, String) {
    let file = place.path().join("checked.json");
    std::fs::write(&file, document.to_string()).expect("own folder");
    let mut command = Command::new(program("TENANCY_TEST_PYTHON"));
    command.args(["-m", "openapi_spec_validator", "checked.json"]);
    run(&mut command, place.path()).await
}

/// The operation of a document.
fn operation<'a>(document: &'a Value, method: &str, path: &str) -> &'a Value {
    let operation = &document["paths"][path][method];
    assert!(operation.is_object(), "{method} {path} in {document:#}");
    operation
}

/// The statuses that an operation answers, and `default`.
fn statuses(operation: &Value) -> Vec<&str> {
    let answers = operation["responses"].as_object().expect("answers");
    answers.keys().map(String::as_str).collect()
}

/// An answer that is not of the application under test.
const TEAPOT: StatusCode = StatusCode::IM_A_TEAPOT;
