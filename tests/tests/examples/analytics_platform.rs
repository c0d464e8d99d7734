//! `analytics-platform`: events singly and by the thousand, live and summed up, with
//! the database inside and on a server.

use integration::curl;
use integration::database::Database;
use integration::process::{Served, Workplace};
use serde_json::{Value, json};

use super::{A, B, assert_one_refusal, assert_success};

async fn register(app: &Served, slug: &str, plan: &str) {
    let new = json!({"identifier": slug, "plan": plan});
    app.nobody().post("/admin/tenants", new).await.json(201);
}

fn events(count: usize) -> Value {
    let event = |number: usize| {
        let kind = ["page_view", "click", "page_view"][number % 3];
        json!({ "event_type": kind, "user_id": format!("u-{}", number % 100) })
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
    let app = place.serve("analytics-platform", &[]).await;
    register(&app, A, "enterprise").await;
    register(&app, B, "enterprise").await;
    let mut refused = None;
    for _ in 0..=600 {
        let answer = app.tenant(A).post("/events/batch", json!([])).await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a limit");
    assert_eq!(refused.problem(429), "rate_limited");
    assert!(refused.headers.contains_key("retry-after"));
    // That route of this tenant's, and nothing else.
    app.tenant(B)
        .post("/events/batch", json!([]))
        .await
        .json(201);
    app.tenant(A).get("/events").await.json(200);
}

/// What is too long to be told is refused before it is stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_not_stored() {
    let place = Workplace::new();
    let app = place.serve("analytics-platform", &[]).await;
    register(&app, A, "pro").await;
    let event = |length| {
        let properties = json!({"text": "x".repeat(length)});
        json!({"event_type": "click", "user_id": "u-1", "properties": properties})
    };
    let caller = app.tenant(A);
    let refused = caller.post("/events", event(33_000)).await;
    assert_eq!(refused.problem(422), "invalid_input");
    let refused = caller
        .post("/events/batch", json!([event(1), event(33_000)]))
        .await;
    assert_eq!(refused.problem(422), "invalid_input");
    assert_eq!(caller.get("/events").await.json(200), json!([]));
    caller.post("/events", event(32_000)).await.json(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_prints_works() {
    let place = Workplace::new();
    let app = place.serve("analytics-platform", &[]).await;
    let mut statuses = Vec::new();
    for hint in app.hints() {
        // The rest is for a browser, a WebSocket's client and a terminal of its own.
        if hint.starts_with("curl http") {
            statuses.push(curl::run(&hint).await.0);
        }
    }
    assert_eq!(statuses, [201, 201, 200, 201, 403, 200]);
}
