//! The examples as people run them: processes of their own, called over HTTP
//! and ended by signals. What the library promises elsewhere is seen here once
//! more from outside, with nothing of ours in between.

mod composed;
mod custom_resolver;
mod hello_tenant;
mod hybrid_isolation;
mod management;
mod page;
mod quickstart;
mod renamed;
mod saas_starter;
mod schema_isolation;
mod shutdown;
mod subdomain;

use integration::curl;
use integration::http::Caller;
use integration::process::{Ended, Served};
use serde_json::Value;

const A: &str = "acme-corp";
const B: &str = "globex";

/// The titles of a tenant's todos, in the order in which they were made.
async fn titles(caller: Caller<'_>) -> Vec<String> {
    let todos = caller.get("/todos").await.json(200);
    let todos = todos.as_array().expect("a list").iter();
    let title = |todo: &Value| todo["title"].as_str().expect("a title").to_owned();
    todos.map(title).collect()
}

/// Sends every hint that the application printed, in order; the statuses.
async fn follow_hints(app: &Served) -> Vec<u16> {
    let mut statuses = Vec::new();
    for hint in app.hints() {
        statuses.push(curl::run(&hint).await.0);
    }
    statuses
}

/// Nobody learns from the answer whether a tenant exists.
async fn assert_one_refusal(app: &Served, path: &str) {
    let missing = app.nobody().get(path).await;
    assert_eq!(missing.problem(400), "tenant_unresolved");
    for slug in ["nobody-here", "Not a slug!"] {
        let refused = app.tenant(slug).get(path).await;
        assert_eq!(refused.status, missing.status);
        assert_eq!(refused.body, missing.body, "{slug}");
    }
}

/// The process ended in order.
fn assert_success(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
