//! `TestApp`: tenants of a test's own, on one database for all tests.

use std::time::Instant;

use integration::database::Database;
use serde_json::json;
use tenancy::prelude::*;
use tenancy::testing::{TestApp, TestTenant};
use tenancy::{Isolation, Strategy};

use crate::shop::{self, todos};

#[tenant_handler(get, "/me")]
async fn me(tenant: Tenant) -> Json<Value> {
    Json(json!({ "tenant": tenant.slug() }))
}

async fn start(database: &Database, strategy: Strategy) -> TestApp {
    let app = shop::app(Isolation::single(strategy));
    on(TestApp::of(app), database).start().await.expect("works")
}

/// With the logins of this test's own database.
fn on(
    app: tenancy::testing::TestAppBuilder,
    database: &Database,
) -> tenancy::testing::TestAppBuilder {
    app.var("TENANCY_DATABASE_URL", database.app_url())
        .var("TENANCY_OWNER_DATABASE_URL", database.owner_url())
}

async fn count(tenant: &TestTenant) -> i64 {
    let count = tenant.run(async |db| {
        let mut conn = db.conn().await?;
        Ok(todos::table.count().get_result(&mut conn).await?)
    });
    count.await.expect("works")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_test_has_tenants_of_its_own_in_every_strategy() {
    for strategy in [Strategy::Rls, Strategy::Schema, Strategy::Database] {
        let database = Database::empty().await;
        let app = start(&database, strategy).await;
        let again = Instant::now();
        let beside = start(&database, strategy).await;
        eprintln!("{strategy}: {:?} to start again", again.elapsed());
        let began = Instant::now();
        let one = app.tenant().await.unwrap();
        eprintln!("{strategy}: {:?} for a tenant", began.elapsed());
        let other = beside.tenant().await.unwrap();
        assert_ne!(one.slug(), other.slug());
        for tenant in [&one, &other] {
            let made = tenant.post("/todos", json!({"title": "same"})).await;
            assert_eq!(made.json(201)["title"], "same");
            assert_eq!(count(tenant).await, 1);
            let me = tenant.get("/me").await.json(200);
            assert_eq!(me["tenant"], json!(tenant.slug()));
        }
        // As the application's role, and no other.
        let role = one.run(async |db| {
            let mut conn = db.conn().await?;
            let role = diesel::dsl::sql::<diesel::sql_types::Text>("current_user::text");
            Ok(diesel::select(role).get_result::<String>(&mut conn).await?)
        });
        assert!(role.await.unwrap().starts_with("app_"));
        let nobody = app.nobody().unwrap().get("/me").await;
        assert_eq!(nobody.problem(400), "tenant_unresolved");

        // What was given is gone with it, and nobody else's.
        let left = "SELECT count(*) FROM tenancy.tenants";
        assert_eq!(database.value::<i64>(left).await, 2);
        app.stop().await;
        assert_eq!(database.value::<i64>(left).await, 1);
        assert_eq!(count(&other).await, 1);
        drop((beside, other));
        while database.value::<i64>(left).await > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_sees_every_row_is_refused() {
    let database = Database::empty().await;
    let app = shop::app(Isolation::single(Strategy::Rls));
    let unsafe_role =
        on(TestApp::of(app), &database).var("TENANCY_DATABASE_URL", database.owner_url());
    let refused = unsafe_role.start().await.unwrap_err().to_string();
    assert!(
        refused.contains("TENANCY_DATABASE_URL") || refused.contains("role"),
        "{refused}"
    );
}

/// It outlives the runtime of the test that started it.
#[test]
fn an_application_is_shared_by_tests_with_runtimes_of_their_own() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let first = runtime();
    let (database, app, tenant) = first.block_on(async {
        let database = Database::empty().await;
        let app = start(&database, Strategy::Rls).await;
        let tenant = app.tenant().await.unwrap();
        assert_eq!(count(&tenant).await, 0);
        (database, app, tenant)
    });
    drop(first);
    runtime().block_on(async {
        tenant
            .post("/todos", json!({"title": "later"}))
            .await
            .json(201);
        assert_eq!(count(&tenant).await, 1);
        drop(tenant);
        app.stop().await;
    });
    drop(database);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_process_left_is_swept_away_and_nothing_else() {
    let database = Database::empty().await;
    let app = start(&database, Strategy::Schema).await;
    let tenancy = app.tenant().await.unwrap();
    // A UUIDv7 of 2024, one of now, and names that only look alike.
    let fresh = format!("test-{}", Uuid::now_v7().simple());
    let old = "test-018cc251f4007000800000000000abcd";
    let served = integration::http::Served::start(
        shop::app(Isolation::single(Strategy::Schema)),
        &database,
        &[],
    );
    let served = served.await;
    for slug in [old, &fresh, "test-drive", "testing"] {
        let new = NewTenant::new(slug).unwrap();
        served.tenancy.provisioner().provision(new).await.unwrap();
    }
    let next = start(&database, Strategy::Schema).await;
    let there = format!("SELECT count(*) FROM tenancy.tenants WHERE slug = '{old}'");
    while database.value::<i64>(&there).await > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    next.stop().await;
    let kept = "SELECT count(*) FROM tenancy.tenants";
    assert_eq!(database.value::<i64>(kept).await, 4);
    drop(tenancy);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_a_tenant_is_named_is_taken_from_the_resolver_or_asked_for() {
    let app = |resolver: tenancy::resolve::Resolution| {
        App::new("shop", "1.0.0")
            .membership(tenancy::admit::Gateway)
            .resolver(resolver)
            .route::<me>()
    };
    let ways: [tenancy::resolve::Resolution; 3] = [
        tenancy::HeaderResolver::new("X-Customer").into(),
        tenancy::resolve::SubdomainResolver::new(".shop.test").into(),
        tenancy::resolve::PathResolver::new("/t").into(),
    ];
    for way in ways {
        let app = TestApp::start(app(way.clone())).await.unwrap();
        let tenant = app.tenant().await.unwrap();
        let me = tenant.get("/me").await.json(200);
        assert_eq!(me["tenant"], json!(tenant.slug()), "{way:?}");
    }
    let own = || app(tenancy::resolve::Resolution::custom(ByQuery));
    let refused = TestApp::start(own()).await.unwrap_err().to_string();
    assert!(refused.contains("TestApp::of(app).naming("), "{refused}");
    let named = TestApp::of(own()).naming(|slug, request| {
        request.uri = format!("{}?{slug}", request.uri).parse().unwrap();
    });
    let app = named.start().await.unwrap();
    let tenant = app.tenant().await.unwrap();
    let me = tenant.get("/me").await.json(200);
    assert_eq!(me["tenant"], json!(tenant.slug()));
}

struct ByQuery;

#[tenancy::async_trait]
impl tenancy::resolve::Resolver for ByQuery {
    async fn resolve(
        &self,
        request: &axum::http::request::Parts,
    ) -> Result<Option<tenancy::resolve::Candidate>> {
        let slug = request.uri.query().map(str::parse);
        let slug = slug.transpose().map_err(|_| Error::TenantUnresolved)?;
        Ok(slug.map(tenancy::resolve::Candidate::new))
    }
}
