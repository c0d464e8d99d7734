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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shops_with_databases_of_their_own_are_kept_apart() {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    let app = place.serve("ecommerce-platform", &[]).await;
    register(&app, A).await;
    let of_a = database.own_databases().await;
    register(&app, B).await;
    let mut of_b = database.own_databases().await;
    of_b.retain(|name| !of_a.contains(name));
    // Both have a product; no key of the one is a key of the other's.
    let owner = database.owner_at(&of_b[0]).await;
    let far = "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 100000) \
               FROM pg_sequences";
    owner.batch_execute(far).await.expect("sequences");
    let product =
        |canary: &str| json!({ "name": canary, "sku": canary, "price": "1.00", "stock": 99 });
    let nobody = app.nobody();
    let first = nobody.post("/t/acme-corp/products", product("of A"));
    assert_eq!(first.await.json(201)["id"], 1);
    let pathed = |slug: &'static str| {
        Caller::new(slug, Site::at(app.address), move |request| {
            let path = format!("/t/{slug}{}", request.uri);
            request.uri = path.parse().expect("a path");
        })
    };
    let report = Matrix::new(&pathed(A), &pathed(B))
        .routes(["GET /products", "POST /products", "GET /products/{id}"])
        .routes(["PATCH /products/{id}", "GET /orders", "POST /orders"])
        .routes([
            "GET /orders/{id}",
            "GET /reports/sales",
            "GET /pages",
            "GET /audit",
        ])
        .body("POST /products", product)
        .body(
            "PATCH /products/{id}",
            |_| json!({ "name": "another name" }),
        )
        .body("POST /orders", |canary| {
            let bought = if canary.starts_with("canary-b") {
                100_001
            } else {
                1
            };
            json!({ "customer_email": canary, "product_ids": [bought] })
        })
        .run();
    report.await.assert_apart();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_kept_apart() {
    let place = Workplace::new();
    let app = place.serve("analytics-platform", &[]).await;
    register(&app, A).await;
    register(&app, B).await;
    let report = by_slug(&app, A, B)
        .changing("GET /metrics/summary", "it counts back from now")
        .allow(
            "POST /events",
            "its user_id is the client's own word, no key",
        )
        .allow(
            "POST /events/batch",
            "its user_id is the client's own word, no key",
        )
        .routes([
            "GET /health",
            "GET /events",
            "POST /events",
            "POST /events/batch",
        ])
        .routes(["GET /metrics/summary", "GET /events/stream", "GET /ws"])
        .skip(
            "GET /events/stream",
            "does not end: live::crossing tries it",
        )
        .skip("GET /ws", "does not end: live::crossing tries it")
        .body(
            "POST /events",
            |canary| json!({ "event_type": canary, "user_id": canary }),
        )
        .body(
            "POST /events/batch",
            |canary| json!([{ "event_type": canary, "user_id": canary }]),
        )
        .run();
    report.await.assert_apart();
}

/// A tenant on the plan that opens every route.
async fn register(app: &Served, slug: &str) {
    let new = json!({ "identifier": slug, "plan": "enterprise" });
    app.nobody().post("/admin/tenants", new).await.json(201);
}
