//! `hybrid-isolation`: two tiers, one API, with the answers of the reference
//! page. On a server the same binary serves databases of tenants' own as well.

use integration::database::Database;
use integration::process::Workplace;
use serde_json::json;

use super::{assert_one_refusal, assert_success, follow_hints};

const PREMIUM: &str = "acme-corp";
const STANDARD: &str = "startup-a";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tiers_are_billed_apart_in_the_database_inside() {
    bill(&Workplace::new(), &[], ["schema", "rls"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tiers_are_billed_apart_on_a_server() {
    let database = Database::empty().await;
    bill(&Workplace::on(&database), &[], ["schema", "rls"]).await;
    let schemas = "SELECT count(DISTINCT relnamespace) FROM pg_class WHERE relname = 'invoices'";
    assert_eq!(database.value::<i64>(schemas).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_deployment_may_give_each_tenant_a_database() {
    let database = Database::empty().await;
    let vars = [("TENANCY_ISOLATION_STRATEGY", "database")];
    let place = Workplace::on(&database);
    let app = place.serve("hybrid-isolation", &vars).await;
    for tenant in [PREMIUM, STANDARD] {
        let me = app.tenant(tenant).get("/me").await.json(200);
        assert_eq!(me["isolation_strategy"], "database");
    }
    assert_success(&app.stop("TERM").await);
}

async fn bill(place: &Workplace, vars: &[(&str, &str)], strategies: [&str; 2]) {
    let app = place.serve("hybrid-isolation", vars).await;
    assert_eq!(app.nobody().get("/health").await.text(), "ok");
    let tiers = [(PREMIUM, "premium"), (STANDARD, "standard")];
    for ((tenant, tier), strategy) in tiers.into_iter().zip(strategies) {
        let me = app.tenant(tenant).get("/me").await.json(200);
        assert_eq!(
            me,
            json!({"tenant": tenant, "tier": tier, "isolation_strategy": strategy})
        );
        let none = app.tenant(tenant).get("/invoices").await.json(200);
        assert_eq!(none, json!([]));
    }
    assert_eq!(follow_hints(&app).await, [200, 200, 201, 200, 200, 201]);
    for (tenant, _) in tiers {
        let caller = app.tenant(tenant);
        let bills = caller.get("/invoices").await.json(200);
        assert_eq!(bills.as_array().map(Vec::len), Some(1));
        // The number is taken for this tenant, and was free for the other.
        let again = json!({"number": "2026-001", "customer": "Bob", "cents": 1});
        assert_eq!(
            caller.post("/invoices", again).await.problem(409),
            "conflict"
        );
    }
    assert_one_refusal(&app, "/invoices").await;
    assert_success(&app.stop("TERM").await);
    let app = place.serve("hybrid-isolation", vars).await;
    let bills = app.tenant(STANDARD).get("/invoices").await.json(200);
    assert_eq!(bills[0]["number"], "2026-001");
    assert_success(&app.stop("INT").await);
}
