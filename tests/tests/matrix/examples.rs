//! The examples as they are run, each a process that is called over HTTP.

use axum::http::HeaderValue;
use integration::database::Database;
use integration::process::{Served, Workplace};
use serde_json::json;
use tenancy::testing::{Caller, Matrix, Site};

const A: &str = "acme-corp";
const B: &str = "globex";

fn caller(app: &Served, who: &str, header: &'static str, value: &str) -> Caller {
    let value = HeaderValue::from_str(value).expect("a header");
    Caller::new(who, Site::at(app.address), move |request| {
        request.headers.insert(header, value.clone());
    })
}

/// A matrix of two tenants, each named by a header.
fn matrix(app: &Served, header: &'static str, [a, b]: [(&str, String); 2]) -> Matrix {
    let [a, b] = [a, b].map(|(who, value)| caller(app, who, header, &value));
    Matrix::new(&a, &b)
}

fn by_slug(app: &Served, a: &str, b: &str) -> Matrix {
    let named = [a, b].map(|slug| (slug, slug.to_owned()));
    matrix(app, "x-tenant-id", named)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_quickstart_keeps_its_routes_apart_both_ways() {
    let database = Database::empty().await;
    for place in [Workplace::new(), Workplace::on(&database)] {
        let app = place.serve("quickstart", &[]).await;
        for (a, b) in [(A, B), (B, A)] {
            let report = by_slug(&app, a, b)
                .routes(["GET /health", "GET /me", "GET /todos", "POST /todos"])
                .routes(["PATCH /todos/{id}", "DELETE /todos/{id}"])
                .body("POST /todos", |canary| json!({ "title": canary }))
                .body("PATCH /todos/{id}", |_| json!({ "done": true }))
                .run();
            report.await.assert_apart();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_in_memory_are_kept_apart() {
    let place = Workplace::new();
    let app = place.serve("hello-tenant", &[]).await;
    let greeted = by_slug(&app, A, B).routes(["GET /health", "GET /hello"]);
    greeted.canary("Globex").run().await.assert_apart();

    let app = place.serve("subdomain", &[]).await;
    let hosts = [A, B].map(|slug| (slug, format!("{slug}.localhost.local")));
    let welcomed = matrix(&app, "host", hosts).routes(["GET /health", "GET /"]);
    welcomed.canary("Globex").run().await.assert_apart();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_by_key_are_kept_apart() {
    let place = Workplace::new();
    let app = place.serve("custom-resolver", &[]).await;
    let keys = [(A, "key-acme-ABCDEF"), (B, "key-globex-123456")];
    let keys = keys.map(|(slug, key)| (slug, key.to_owned()));
    let keyed = matrix(&app, "x-api-key", keys).routes(["GET /health", "GET /data"]);
    keyed.canary("what Globex sees").run().await.assert_apart();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tiers_and_schemas_are_kept_apart() {
    let place = Workplace::new();
    let app = place.serve("hybrid-isolation", &[]).await;
    for (a, b) in [(A, "startup-a"), ("startup-a", A)] {
        let report = by_slug(&app, a, b)
            .routes(["GET /health", "GET /me", "GET /invoices", "POST /invoices"])
            .body(
                "POST /invoices",
                |canary| json!({ "number": canary, "customer": "Ada", "cents": 1250 }),
            )
            .run();
        report.await.assert_apart();
    }

    let app = place.serve("schema-isolation", &[]).await;
    for slug in [A, B] {
        let nobody = app.nobody();
        let made = nobody.post("/admin/tenants", json!({ "identifier": slug }));
        made.await.json(201);
    }
    let report = by_slug(&app, A, B)
        .routes(["POST /admin/tenants", "GET /todos", "POST /todos"])
        .skip("POST /admin/tenants", "the operator's, and no tenant's")
        .body("POST /todos", |canary| json!({ "title": canary }))
        .run();
    report.await.assert_apart();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_by_token_are_kept_apart() {
    let place = Workplace::new();
    let app = place.serve("saas-starter", &[]).await;
    let mut tokens = Vec::new();
    for slug in [A, B] {
        let made = place.run("generate_token", &[slug], &[]).await;
        tokens.push((slug, format!("Bearer {}", made.out.trim())));
    }
    let tokens: [_; 2] = tokens.try_into().expect("two");
    let report = matrix(&app, "authorization", tokens)
        .routes(["GET /health", "GET /posts", "POST /posts", "GET /audit"])
        .body(
            "POST /posts",
            |canary| json!({ "title": canary, "body": "secret" }),
        )
        .run();
    report.await.assert_apart();
}
