//! Examples as Schemathesis sees them, which reads their description and sends what it
//! allows and what it forbids: nothing that it sends is answered 5xx, and no answer
//! contradicts the description.

use std::net::SocketAddr;
use std::time::Duration;

use integration::database::Database;
use integration::http::Served;
use integration::process::Workplace;
use serde::Serialize;
use serde_json::{Value, json};
use tenancy::App;
use tenancy::openapi::{JsonSchema, OpenApi};
use tenancy::prelude::*;
use tokio::process::Command;

use super::{program, run};

/// What answers are held to. A request is not held to its schema as well: serde takes
/// an array of values for a struct.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,\
                      missing_required_header,unsupported_method,use_after_free,\
                      ensure_resource_availability";

/// Tries what the description at `address` says, without what it says of all other
/// answers: what a route answers in these examples is all listed. Sends as
/// many `examples` to each route, and leaves out the checks that are `unchecked`.
pub(super) async fn fuzzed(
    address: SocketAddr,
    place: &Workplace,
    examples: &str,
    unchecked: &[&str],
) -> (bool, String) {
    let checks: Vec<_> = CHECKS
        .split(',')
        .filter(|one| !unchecked.contains(one))
        .collect();
    let url = format!("http://{address}");
    let answer = reqwest::get(format!("{url}/openapi.json")).await;
    let mut document: Value = answer.expect("an answer").json().await.expect("JSON");
    let paths = document["paths"].as_object_mut().expect("paths");
    for operation in paths
        .values_mut()
        .filter_map(Value::as_object_mut)
        .flat_map(|all| all.values_mut())
    {
        let answers = operation["responses"].as_object_mut().expect("answers");
        answers
            .remove("default")
            .expect("what is said of all others");
    }
    std::fs::write(place.path().join("openapi.json"), document.to_string()).expect("own folder");
    let mut command = Command::new(program("TENANCY_TEST_PYTHON").with_file_name("schemathesis"));
    command
        .args(["run", "openapi.json", "--url", &url])
        .args(["--checks", &checks.join(",")])
        .args([
            "--phases",
            "coverage,fuzzing,stateful",
            "--max-examples",
            examples,
        ])
        .args([
            "--seed",
            "1",
            "--no-color",
            "--header",
            "X-Tenant-ID: acme-corp",
        ])
        .args(["--generation-database", "none"]);
    let ended = tokio::time::timeout(Duration::from_secs(180), run(&mut command, place.path()));
    ended.await.expect("an end")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quickstart_answers_as_it_says() {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    let app = place.serve("quickstart", &[]).await;
    let (content, said) = fuzzed(app.address, &place, "60", &[]).await;
    assert!(content, "{said}");
    assert!(said.contains("Tested: 6"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hybrid_isolation_answers_as_it_says() {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    let app = place.serve("hybrid-isolation", &[]).await;
    let (content, said) = fuzzed(app.address, &place, "60", &[]).await;
    assert!(content, "{said}");
    assert!(said.contains("Tested: 4"), "{said}");
}

#[derive(Serialize, JsonSchema)]
#[schemars(crate = "tenancy::openapi::schemars")]
struct Claimed {
    number: u32,
}

/// Says that it answers a number, and does not.
struct Lies;

impl tenancy::http::RoutedHandler for Lies {
    const METHOD: tenancy::http::Verb = tenancy::http::Verb::Get;
    const PATH: &'static str = "/lies";
    const TENANT: tenancy::http::TenantUse = tenancy::http::TenantUse::None;

    fn handler() -> axum::routing::MethodRouter {
        axum::routing::get(async || axum::Json(json!({"number": "seven"})))
    }

    fn describe(operation: &mut tenancy::openapi::Operation) {
        operation.name("lies").answer::<Json<Claimed>>();
    }
}

#[tenant_handler(get, "/breaks/{number}", tenant = "none")]
async fn breaks(Path(number): Path<u8>) -> Result<Json<Claimed>> {
    match number {
        0..=9 => Ok(Json(Claimed {
            number: number.into(),
        })),
        _ => Err(Error::internal("broken")),
    }
}

#[tenant_handler(get, "/strays", tenant = "none", status = 201)]
async fn strays() -> StatusCode {
    StatusCode::ACCEPTED
}

/// The twin: who contradicts the description, or breaks, is found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_answers_otherwise_is_found() {
    let app = App::new("liar", "1.0.0")
        .route::<Lies>()
        .route::<breaks>()
        .route::<strays>()
        .openapi(OpenApi::public());
    let served = Served::in_memory(app, &[]).await;
    let place = Workplace::new();
    let (content, said) = fuzzed(served.site.address, &place, "60", &[]).await;
    assert!(!content, "{said}");
    // A server error, a status that is not listed, content that is not as described.
    for found in ["ST101", "ST103", "ST108"] {
        assert!(said.contains(found), "{found} is not in {said}");
    }
}
