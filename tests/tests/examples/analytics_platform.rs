//! `analytics-platform`: events singly and by the thousand, live and summed up, with
//! the database inside and on a server.

use integration::database::Database;
use integration::process::{Served, Workplace};
use serde_json::{Value, json};

use super::{A, B, assert_one_refusal, assert_success};

async fn register(app: &Served, slug: &str, plan: &str) {
    let new = json!({"identifier": slug, "plan": plan});
    app.nobody().post("/admin/tenants", new).await.json(201);
}

fn events(count: usize) -> Value {
    let event = |number| {
        json!({
            "event_type": ["page_view", "click", "page_view"][number % 3],
            "user_id": format!("u-{}", number % 100),
        })
    };
    (0..count).map(event).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_are_taken_whole_in_the_database_inside() {
    take_batches(&Workplace::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_are_taken_whole_on_a_server() {
    let database = Database::empty().await;
    take_batches(&Workplace::on(&database)).await;
}

async fn take_batches(place: &Workplace) {
    let app = place.serve("analytics-platform", &[]).await;
    register(&app, A, "pro").await;
    register(&app, B, "enterprise").await;
    for _ in 0..5 {
        let taken = app.tenant(A).post("/events/batch", events(1_000)).await;
        assert_eq!(taken.json(201), json!({"events": 1_000}));
    }
    let refused = app.tenant(A).post("/events/batch", events(1_001)).await;
    assert_eq!(refused.problem(422), "invalid_input");
    // One that is no event: none of them is stored.
    let mut broken = events(10);
    broken[9] = json!({"event_type": 7});
    let refused = app.tenant(A).post("/events/batch", broken).await;
    assert_eq!(refused.problem(422), "invalid_input");
    let none = app.tenant(A).post("/events/batch", json!([])).await;
    assert_eq!(none.json(201), json!({"events": 0}));

    let summary = app.tenant(A).get("/metrics/summary").await.json(200);
    assert_eq!(
        (&summary["events"], &summary["users"]),
        (&json!(5_000), &json!(100))
    );
    let top = json!([
        {"event_type": "page_view", "events": 3_335},
        {"event_type": "click", "events": 1_665},
    ]);
    assert_eq!(summary["top"], top);
    let nothing = app.tenant(B).get("/metrics/summary").await.json(200);
    assert_eq!(
        (&nothing["events"], &nothing["top"]),
        (&json!(0), &json!([]))
    );
    assert_eq!(app.tenant(B).get("/events").await.json(200), json!([]));
    assert_one_refusal(&app, "/events").await;
    assert_success(&app.stop("TERM").await);
}

/// What is limited is how often somebody comes, and not how much it brings.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_too_often_is_told_when_to_come_again() {
    let place = Workplace::new();
    let vars = [
        ("TENANCY_ENABLE_RATE_LIMITING", "true"),
        ("TENANCY_RATE_LIMIT_PER_MINUTE", "600"),
    ];
    let app = place.serve("analytics-platform", &vars).await;
    register(&app, A, "starter").await;
    register(&app, B, "starter").await;
    let mut refused = None;
    for _ in 0..=600 {
        let answer = app.tenant(A).get("/events").await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a limit");
    assert_eq!(refused.problem(429), "rate_limited");
    assert!(refused.headers.contains_key("retry-after"));
    app.tenant(B).get("/events").await.json(200);
}
