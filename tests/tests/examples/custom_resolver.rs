//! `custom-resolver`: tenants by API key.

use integration::curl;
use integration::process::Workplace;

use super::{assert_success, follow_hints};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_leads_to_its_tenant_and_a_wrong_one_nowhere() {
    let place = Workplace::new();
    let app = place.serve("custom-resolver", &[]).await;
    assert_eq!(app.nobody().get("/health").await.text(), "ok");
    assert_eq!(follow_hints(&app).await, [200, 200, 400]);
    let mut answers = Vec::new();
    for hint in app.hints() {
        answers.push(curl::run(&hint).await.1);
    }
    assert!(answers[0].contains("what Acme Corp sees"), "{answers:?}");
    assert!(answers[1].contains("what Globex sees"), "{answers:?}");
    assert!(answers[2].contains("tenant_unresolved"), "{answers:?}");
    // No key, and a name that is none: the same answer.
    for caller in [app.nobody(), app.tenant("acme-corp")] {
        let refused = caller.get("/data").await;
        assert_eq!(
            (refused.status.as_u16(), refused.text()),
            (400, answers[2].clone())
        );
    }
    assert_success(&app.stop("TERM").await);
}
