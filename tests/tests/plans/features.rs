use std::time::{Duration, Instant};

use integration::database::Database;
use integration::http::{Login, Served, start};
use tenancy::prelude::*;
use tenancy::{Isolation, Strategy};

use super::{A, B, app, serve, slug};
use crate::features;

/// The bound within which another process hears of a change, with room for a busy
/// machine.
const BOUND: Duration = Duration::from_secs(4);

async fn status(shop: &Served, tenant: &str, path: &str) -> u16 {
    shop.tenant(tenant).get(path).await.status.as_u16()
}

/// Waits until a request is answered with this status.
async fn until(shop: &Served, (tenant, path): (&str, &str), wanted: u16) -> Duration {
    let start = Instant::now();
    while status(shop, tenant, path).await != wanted {
        assert!(start.elapsed() < BOUND, "never {wanted}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_opens_its_features_and_no_others() {
    let (_database, shop) = serve().await;
    // Who was given no plan is on the default one.
    assert_eq!(shop.tenant(A).get("/plan").await.text(), "starter");
    let refused = shop.tenant(A).get("/export").await;
    assert_eq!(refused.problem(403), "feature_unavailable");
    assert_eq!(
        refused.json(403)["detail"],
        "Feature 'exports' is not available on your plan"
    );
    assert_eq!(status(&shop, B, "/export").await, 200);
    assert_eq!(status(&shop, B, "/forecast").await, 403);
    let provisioner = shop.tenancy.provisioner();
    let changed = provisioner
        .set_plan(&slug(A), super::Plan::Enterprise.name())
        .await;
    assert_eq!(changed.unwrap().plan.as_deref(), Some("enterprise-2026"));
    for path in ["/export", "/forecast"] {
        assert_eq!(status(&shop, A, path).await, 200, "at once");
    }
    provisioner.set_plan(&slug(B), "starter").await.unwrap();
    assert_eq!(status(&shop, B, "/export").await, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_granted_or_revoked_goes_before_the_plan_until_its_time() {
    let (database, shop) = serve().await;
    let other = Served::start(app(), &database, &[]).await;
    assert_eq!(status(&other, A, "/export").await, 403);
    assert_eq!(status(&other, B, "/export").await, 200);
    let provisioner = shop.tenancy.provisioner();
    provisioner
        .grant(&slug(A), features::exports, None)
        .await
        .unwrap();
    provisioner
        .revoke(&slug(B), features::exports, None)
        .await
        .unwrap();
    assert_eq!(status(&shop, A, "/export").await, 200, "at once");
    assert_eq!(status(&shop, B, "/export").await, 403, "at once");
    until(&other, (A, "/export"), 200).await;
    until(&other, (B, "/export"), 403).await;
    // One is no other, and a plan that changes undoes neither.
    assert_eq!(status(&other, A, "/forecast").await, 403);
    provisioner
        .set_plan(&slug(B), "enterprise-2026")
        .await
        .unwrap();
    until(&other, (B, "/forecast"), 200).await;
    assert_eq!(status(&other, B, "/export").await, 403);
    for tenant in [A, B] {
        provisioner.reset(&slug(tenant), "exports").await.unwrap();
    }
    until(&other, (A, "/export"), 403).await;
    until(&other, (B, "/export"), 200).await;

    // What has an end ends, and nobody has to be told.
    let end = Utc::now() + Duration::from_millis(1_500);
    provisioner
        .grant(&slug(A), "exports", Some(end))
        .await
        .unwrap();
    provisioner
        .revoke(&slug(B), "exports", Some(end))
        .await
        .unwrap();
    assert_eq!(status(&shop, A, "/export").await, 200);
    assert_eq!(status(&shop, B, "/export").await, 403);
    until(&shop, (A, "/export"), 403).await;
    until(&shop, (B, "/export"), 200).await;
    assert!(Utc::now() >= end, "not before its time");
    // The twin: without its end it would be there still.
    database
        .sabotage("UPDATE tenancy.tenants SET overrides = overrides #- '{exports,until}'")
        .await;
    assert_eq!(status(&shop, A, "/export").await, 200);
    assert_eq!(status(&shop, B, "/export").await, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_not_declared_is_stored_for_nobody() {
    let (database, shop) = serve().await;
    let provisioner = shop.tenancy.provisioner();
    let new = |slug: &str| NewTenant::new(slug).unwrap();
    let exports = "there is no feature `export`; did you mean `exports`?";
    let past = Some(Utc::now() - Duration::from_secs(1));
    for (refused, words) in [
        (
            provisioner.provision(new("initech").plan("strater")).await,
            "there is no plan `strater`; did you mean `starter`?",
        ),
        (
            provisioner.provision(new("initech").plan("gold")).await,
            "there is no plan `gold` (expected `starter`, `pro`, `enterprise-2026`)",
        ),
        (
            provisioner
                .provision(new("initech").feature("export"))
                .await,
            exports,
        ),
        (
            provisioner.set_plan(&slug(A), "Pro").await,
            "there is no plan `Pro`; did you mean `pro`?",
        ),
        (provisioner.grant(&slug(A), "export", None).await, exports),
        (provisioner.revoke(&slug(A), "export", None).await, exports),
        (
            provisioner.grant(&slug(A), features::exports, past).await,
            "the time until which it would hold is over",
        ),
    ] {
        match refused {
            Err(Error::InvalidInput(said)) => assert_eq!(said, words),
            other => panic!("{words}: {other:?}"),
        }
    }
    let stored = "SELECT count(*) FROM tenancy.tenants WHERE plan <> 'pro' OR features <> '{}' \
         OR overrides <> '{}'";
    assert_eq!(database.value::<i64>(stored).await, 0);
    let nobody = provisioner.grant(&slug("initech"), "exports", None).await;
    assert!(matches!(nobody, Err(Error::NotFound)));

    // So is a plan that the isolation names.
    let hybrid = Isolation::hybrid(Strategy::Schema, Strategy::Rls).premium_plans(["enterprise"]);
    let wrong = start(app().isolation(hybrid), &database, Login::Both, &[]).await;
    let said = wrong.err().unwrap().to_string();
    let words = "the premium plans: there is no plan `enterprise`; did you mean `enterprise-2026`?";
    assert!(said.contains(words), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_plan_that_is_not_declared_is_no_plan_and_holds_up_nobody_else() {
    let (database, shop) = serve().await;
    database
        .sabotage("UPDATE tenancy.tenants SET plan = 'starte' WHERE slug = 'acme-corp'")
        .await;
    // The default plan would let it in here.
    assert_eq!(shop.tenant(A).get("/plan").await.problem(500), "internal");
    let said = shop.tenancy.tenant(&slug(A)).await.err().unwrap();
    let words = "the tenant `acme-corp` as it is stored: there is no plan `starte`; did you mean \
                 `starter`?";
    assert!(said.to_string().contains(words), "{said}");
    let problems = shop.tenancy.verify().await.unwrap();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].to_string().starts_with(words), "{problems:?}");
    // It may start again, and the others are served.
    let again = Served::start(app(), &database, &[]).await;
    assert_eq!(status(&again, B, "/export").await, 200);
    assert_eq!(status(&again, A, "/plan").await, 500);
    let provisioner = again.tenancy.provisioner();
    provisioner.set_plan(&slug(A), "starter").await.unwrap();
    assert_eq!(status(&again, A, "/plan").await, 200);

    database
        .sabotage(
            "UPDATE tenancy.tenants SET overrides = '{\"exports\": true}' WHERE slug = 'globex'",
        )
        .await;
    assert_eq!(again.tenant(B).get("/plan").await.problem(500), "internal");
    let said = again.tenancy.tenant(&slug(B)).await.err().unwrap();
    let words = "the tenant `globex` as it is stored: has `overrides` that are none";
    assert!(said.to_string().contains(words), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_plans_what_is_stored_decides() {
    let database = Database::empty().await;
    let app = crate::shop::app(Isolation::single(Strategy::Rls)).seed_tenant(
        NewTenant::new(A)
            .unwrap()
            .plan("whatever")
            .feature(features::exports),
    );
    let shop = Served::start(app, &database, &[]).await;
    assert_eq!(status(&shop, A, "/export").await, 200);
    let provisioner = shop.tenancy.provisioner();
    provisioner
        .revoke(&slug(A), features::exports, None)
        .await
        .unwrap();
    assert_eq!(status(&shop, A, "/export").await, 403);
    assert!(shop.tenancy.verify().await.unwrap().is_empty());
}
