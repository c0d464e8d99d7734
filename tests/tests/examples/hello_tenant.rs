//! `hello-tenant`: two tenants and no database at all.

use integration::process::Workplace;
use serde_json::json;

use super::{A, B, assert_one_refusal, assert_success, follow_hints};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tenants_are_greeted_without_a_database() {
    let place = Workplace::new();
    let app = place.serve("hello-tenant", &[]).await;
    assert_eq!(app.nobody().get("/health").await.text(), "ok");
    for (slug, name) in [(A, "Acme Corp"), (B, "Globex")] {
        let greeted = app.tenant(slug).get("/hello").await.json(200);
        let expected = json!({"message": format!("Hello from {name}!"), "tenant": slug});
        assert_eq!(greeted, expected);
    }
    assert_one_refusal(&app, "/hello").await;
    assert_eq!(follow_hints(&app).await, [200, 200]);
    let ended = app.stop("TERM").await;
    assert_success(&ended);
    assert!(!place.path().join(".tenancy").exists());
    assert!(!ended.err.contains("PostgreSQL"), "{}", ended.err);
}
