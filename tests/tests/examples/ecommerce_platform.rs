//! `ecommerce-platform`: shops with databases of their own, from their registration
//! to their end.

use std::time::Duration;

use integration::database::Database;
use integration::http::Answer;
use integration::process::{Served, Workplace};
use serde_json::{Value, json};

use super::{A, B, assert_success, follow_hints};

/// How long a job may take to be done.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the operator asks for a shop, such as `POST /suspend`.
async fn operate(app: &Served, slug: &str, verb: &str) -> Answer {
    let path = format!("/admin/tenants/{slug}/{verb}");
    app.nobody().post(&path, json!({})).await
}

async fn register(app: &Served, slug: &str, plan: &str) -> Value {
    let new = json!({"identifier": slug, "name": "A shop", "plan": plan});
    app.nobody().post("/admin/tenants", new).await.json(201)
}

async fn get(app: &Served, path: &str) -> Answer {
    app.nobody().get(path).await
}

async fn post(app: &Served, path: &str, body: Value) -> Answer {
    app.nobody().post(path, body).await
}

fn widget(sku: &str, stock: i32) -> Value {
    json!({"name": "Widget", "price": "9.90", "sku": sku, "stock": stock})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_prints_registers_a_shop_sells_and_suspends() {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    let app = place.serve("ecommerce-platform", &[]).await;
    assert_eq!(follow_hints(&app).await, [201, 201, 201, 200, 200, 403]);
    assert_eq!(database.own_databases().await.len(), 1);
    assert_success(&app.stop("TERM").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_takes_from_the_stock_or_leaves_no_trace() {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    let app = place.serve("ecommerce-platform", &[]).await;
    register(&app, A, "pro").await;
    for sku in ["W-1", "W-2"] {
        let product = post(&app, "/t/acme-corp/products", widget(sku, 2)).await;
        product.json(201);
    }
    let orders = "/t/acme-corp/orders";
    let cart = |ids: &[i32]| json!({"customer_email": "ada@example.com", "product_ids": ids});
    let placed = post(&app, orders, cart(&[1, 2, 1])).await.json(201);
    assert_eq!(placed["total"], "29.70");
    let receipt = get(&app, "/t/acme-corp/orders/1").await.json(200);
    assert_eq!(receipt["lines"].as_array().map(Vec::len), Some(2));
    assert_eq!(receipt["lines"][0]["quantity"], 2);

    // The second product is there, the first is sold out: neither is taken.
    assert_eq!(
        post(&app, orders, cart(&[2, 1])).await.problem(409),
        "conflict"
    );
    assert_eq!(
        post(&app, orders, cart(&[77])).await.problem(409),
        "conflict"
    );
    assert_eq!(
        post(&app, orders, cart(&[])).await.problem(422),
        "invalid_input"
    );
    let stock = get(&app, "/t/acme-corp/products/2").await.json(200);
    assert_eq!(stock["stock"], 1);
    assert_eq!(
        get(&app, orders).await.json(200).as_array().map(Vec::len),
        Some(1)
    );
    let sales = get(&app, "/t/acme-corp/reports/sales").await.json(200);
    assert_eq!(
        sales,
        json!([
            {"product": "Widget", "pieces": 2},
            {"product": "Widget", "pieces": 1},
        ])
    );

    // The trail has what was done and nothing of what was not, after a restart too.
    assert_success(&app.stop("TERM").await);
    let app = place.serve("ecommerce-platform", &[]).await;
    let trail = get(&app, "/t/acme-corp/audit").await.json(200);
    let actions = trail.as_array().expect("entries").iter();
    let actions: Vec<_> = actions.map(|entry| entry["action"].as_str()).collect();
    assert_eq!(actions, ["place", "add", "add"].map(Some));
}

/// The last piece is sold once, however many want it at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_want_the_last_five() {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    let app = place.serve("ecommerce-platform", &[]).await;
    register(&app, A, "pro").await;
    post(&app, "/t/acme-corp/products", widget("W-1", 5))
        .await
        .json(201);
    let cart = || json!({"customer_email": "ada@example.com", "product_ids": [1]});
    let all = (0..20).map(|_| post(&app, "/t/acme-corp/orders", cart()));
    let all = futures_util::future::join_all(all).await;
    let sold = all.iter().filter(|answer| answer.status == 201).count();
    let refused = all.iter().filter(|answer| answer.status == 409).count();
    assert_eq!((sold, refused), (5, 15));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_open_reports_and_limit_the_catalogue() {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    let app = place.serve("ecommerce-platform", &[]).await;
    register(&app, A, "starter").await;
    let refused = get(&app, "/t/acme-corp/reports/sales").await;
    assert_eq!(refused.problem(403), "feature_unavailable");
    let detail = &refused.json(403)["detail"];
    assert_eq!(
        detail,
        "Feature 'sales_report' is not available on your plan"
    );
    for number in 0..100 {
        let product = widget(&format!("W-{number}"), 1);
        post(&app, "/t/acme-corp/products", product).await.json(201);
    }
    let one_more = post(&app, "/t/acme-corp/products", widget("W-X", 1)).await;
    assert_eq!(one_more.problem(409), "quota_exceeded");
    let usage = get(&app, "/admin/tenants/acme-corp/usage").await.json(200);
    assert!(usage.to_string().contains("\"products\""), "{usage}");
    // What is paid for is there with the next request.
    let better = json!({"plan": "enterprise"});
    let changed = app.nobody().patch("/admin/tenants/acme-corp", better).await;
    changed.json(200);
    get(&app, "/t/acme-corp/reports/sales").await.json(200);
    post(&app, "/t/acme-corp/products", widget("W-X", 1))
        .await
        .json(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_is_deleted_softly_and_its_neighbour_sees_nothing_of_it() {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    let app = place.serve("ecommerce-platform", &[]).await;
    for slug in [A, B] {
        register(&app, slug, "pro").await;
    }
    post(&app, "/t/acme-corp/products", widget("W-1", 1))
        .await
        .json(201);
    assert_eq!(get(&app, "/t/globex/products").await.json(200), json!([]));
    assert_eq!(
        get(&app, "/t/globex/products/1").await.problem(404),
        "not_found"
    );

    let deleted = app.nobody().delete("/admin/tenants/acme-corp").await;
    deleted.json(200);
    let refused = get(&app, "/t/acme-corp/products").await.status;
    assert!(matches!(refused.as_u16(), 400 | 403), "{refused}");
    get(&app, "/t/globex/products").await.json(200);
    operate(&app, A, "restore").await.json(200);
    let back = get(&app, "/t/acme-corp/products").await.json(200);
    assert_eq!(back[0]["sku"], "W-1");
    assert_eq!(database.own_databases().await.len(), 2);
}

/// New shops get their pages beside the request that registers them, and by a command
/// before it ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_shop_has_its_pages_soon() {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    assert_success(&place.run("ecommerce-platform", &["migrate"], &[]).await);
    let made = place
        .run("ecommerce-platform", &["tenants", "create", B], &[])
        .await;
    assert_success(&made);
    let app = place.serve("ecommerce-platform", &[]).await;
    let pages = get(&app, "/t/globex/pages").await.json(200);
    assert_eq!(pages[1]["path"], "terms", "the command has waited for it");
    register(&app, A, "pro").await;
    let written = async {
        loop {
            let pages = get(&app, "/t/acme-corp/pages").await.json(200);
            if pages != json!([]) {
                return pages;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let pages = tokio::time::timeout(PATIENCE, written)
        .await
        .expect("written");
    assert_eq!(pages[0]["text"], "A shop sells over the internet.");
}
