//! A tenant's whole life, in every strategy: what each stage lets through, what
//! is kept and what is gone, and who gets a slug that is free again.

use std::time::Duration;

use futures_util::future::join_all;
use integration::database::Database;
use integration::http::Served;
use serde_json::json;
use tenancy::prelude::*;
use tenancy::tenant::{Receipt, Slug, TenantStatus};
use tenancy::{Isolation, Strategy};

use crate::shop::{self, NewTodo, todos};

const A: &str = "acme-corp";
const B: &str = "globex";

const STRATEGIES: [Strategy; 3] = [Strategy::Rls, Strategy::Schema, Strategy::Database];

async fn serve(strategy: Strategy) -> (Database, Served) {
    let database = Database::empty().await;
    let app = shop::app(Isolation::single(strategy)).seed(A).seed(B);
    let shop = Served::start(app, &database, &[("TENANCY_POOL_SIZE", "4")]).await;
    (database, shop)
}

fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}

/// Whether anything of a tenant's data is left in the database or on the server.
async fn remains(database: &Database, tenant: &TenantRecord) -> bool {
    let id = tenant.id;
    let name = format!("t_{}", id.as_uuid().simple());
    let rows = "SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('shared.todos'))";
    let mut left = database
        .value::<bool>(&format!(
            "SELECT EXISTS (SELECT FROM pg_database WHERE datname = '{name}') \
             OR EXISTS (SELECT FROM pg_namespace WHERE nspname = '{name}')"
        ))
        .await;
    if database.value::<bool>(rows).await && tenant.strategy() == Some(Strategy::Rls) {
        for table in ["todos", "projects", "tenancy_tenants"] {
            let count = format!("SELECT count(*) FROM shared.{table} WHERE tenant_id = '{id}'");
            left |= database.value::<i64>(&count).await > 0;
        }
    }
    left
}

/// A project with so many todos.
async fn fill(shop: &Served, tenant: &str, count: usize) {
    let caller = shop.tenant(tenant);
    let project = caller.post("/projects", json!({"name": "house"})).await;
    let project = project.json(201)["id"].clone();
    for n in 0..count {
        let todo = json!({"title": format!("{tenant} {n}"), "project_id": project});
        caller.post("/todos", todo).await.json(201);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stage_keeps_out_or_lets_in_and_keeps_the_data() {
    for strategy in STRATEGIES {
        let (_database, shop) = serve(strategy).await;
        fill(&shop, A, 2).await;
        let provisioner = shop.tenancy.provisioner();
        let a = slug(A);
        let stay_out = async || {
            let refused = shop.tenant(A).get("/todos").await;
            assert_eq!(refused.problem(403), "tenant_inactive");
            // Nobody else is touched.
            shop.tenant(B).get("/todos").await.json(200);
        };
        let served = async || {
            let todos = shop.tenant(A).get("/todos").await.json(200);
            assert_eq!(todos.as_array().map(Vec::len), Some(2));
        };
        served().await;
        // Each twice: a call can be repeated.
        for _ in 0..2 {
            let tenant = provisioner.suspend(&a).await.unwrap();
            assert_eq!(tenant.status, TenantStatus::Suspended);
            stay_out().await;
        }
        for _ in 0..2 {
            provisioner.activate(&a).await.unwrap();
            served().await;
        }
        for _ in 0..2 {
            let tenant = provisioner.delete(&a).await.unwrap();
            assert_eq!(tenant.status, TenantStatus::Deleted);
            stay_out().await;
            assert!(provisioner.activate(&a).await.is_err(), "restore it first");
        }
        for _ in 0..2 {
            let tenant = provisioner.restore(&a).await.unwrap();
            assert_eq!(tenant.status, TenantStatus::Active);
            served().await;
        }
        // Not by accident.
        let refused = provisioner.destroy(&a).await.unwrap_err();
        assert!(refused.to_string().contains("delete it first"), "{refused}");
        served().await;
        let nobody = provisioner.destroy(&slug("nobody")).await;
        assert!(matches!(nobody, Err(Error::NotFound)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destroyed_tenant_leaves_a_receipt_and_nothing_else() {
    for strategy in STRATEGIES {
        let (database, shop) = serve(strategy).await;
        fill(&shop, A, 3).await;
        fill(&shop, B, 1).await;
        let provisioner = shop.tenancy.provisioner();
        let a = slug(A);
        let tenant = provisioner.delete(&a).await.unwrap();
        assert!(remains(&database, &tenant).await, "soft-delete keeps it");

        let receipt = provisioner.destroy(&a).await.unwrap();
        assert_eq!((receipt.id, &receipt.slug), (tenant.id, &a));
        assert_eq!(receipt.isolation_strategy, Some(strategy));
        assert_eq!((receipt.rows["todos"], receipt.rows["projects"]), (3, 1));
        assert_eq!(receipt.dropped.is_some(), strategy != Strategy::Rls);
        assert!(!remains(&database, &tenant).await, "{strategy}");
        let refused = shop.tenant(A).get("/todos").await;
        assert_eq!(refused.problem(400), "tenant_unresolved");
        let todos = shop.tenant(B).get("/todos").await.json(200);
        assert_eq!(todos.as_array().map(Vec::len), Some(1), "{strategy}");

        // Asked again, it is the same receipt, to the microsecond.
        let again = provisioner.destroy(&a).await.unwrap();
        let whole = |receipt: &Receipt| serde_json::to_value(receipt).unwrap();
        assert_eq!(whole(&again), whole(&receipt));

        // Whoever gets the slug next inherits nothing.
        let next = provisioner
            .provision(NewTenant::new(A).unwrap())
            .await
            .unwrap();
        assert_ne!(next.id, tenant.id);
        assert_ne!(
            next.locator,
            tenant.locator.filter(|_| strategy != Strategy::Rls)
        );
        assert_eq!(shop.tenant(A).get("/todos").await.json(200), json!([]));
        assert!(shop.tenancy.verify().await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_tenant_named_nothing_would_be_deleted() {
    // The twin: what the owner's DELETE does that forgets to say whose rows.
    let (database, shop) = serve(Strategy::Rls).await;
    fill(&shop, A, 3).await;
    let delete = "WITH gone AS (DELETE FROM shared.todos RETURNING 1) SELECT count(*) FROM gone";
    let gone: i64 = database.owner.query_one(delete, &[]).await.unwrap().get(0);
    assert_eq!(gone, 0, "it sees none, and reports success");
    let left: i64 = database.value("SELECT count(*) FROM shared.todos").await;
    assert_eq!(left, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_admitted_before_writes_nothing_after() {
    for strategy in STRATEGIES {
        let (database, shop) = serve(strategy).await;
        let provisioner = shop.tenancy.provisioner();
        let a = slug(A);
        let (_, db) = shop.tenancy.tenant(&a).await.unwrap();
        let new = |title: &str| NewTodo {
            id: None,
            title: title.to_owned(),
            done: None,
            project_id: None,
        };
        // In the middle of a transaction when the end comes.
        let (started, start) = tokio::sync::oneshot::channel();
        let running = tokio::spawn({
            let db = db.clone();
            async move {
                let mut conn = db.conn().await?;
                conn.transaction(async |conn| {
                    new("before").insert(conn).await?;
                    let _ = started.send(());
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    new("meanwhile").insert(conn).await?;
                    Ok::<(), Error>(())
                })
                .await
            }
        });
        start.await.unwrap();
        let tenant = provisioner.delete(&a).await.unwrap();
        let receipt = provisioner.destroy(&a).await.unwrap();
        let running = running.await.unwrap();
        // Either it finished first, and was counted, or it failed cleanly.
        let counted = receipt.rows["todos"];
        match &running {
            Ok(()) => assert_eq!(counted, 2, "{strategy}"),
            Err(error) => {
                assert_eq!(counted, 0, "{strategy}: {error}");
                assert_eq!(error.code(), "unavailable", "{strategy}: {error}");
            }
        }
        let late = async {
            let mut conn = db.conn().await?;
            new("after").insert(&mut conn).await
        };
        let refused = late.await.unwrap_err();
        match strategy {
            Strategy::Rls => assert_eq!(refused.code(), "tenant_inactive"),
            _ => assert!(["internal", "unavailable"].contains(&refused.code())),
        }
        assert!(!remains(&database, &tenant).await, "{strategy}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_roll_a_late_row_would_stay() {
    // The twin of the test above: row-level security alone lets it through.
    let (database, shop) = serve(Strategy::Rls).await;
    let provisioner = shop.tenancy.provisioner();
    let (_, db) = shop.tenancy.tenant(&slug(A)).await.unwrap();
    provisioner.delete(&slug(A)).await.unwrap();
    provisioner.destroy(&slug(A)).await.unwrap();
    let insert = async || {
        let mut conn = db.conn().await.unwrap();
        diesel::insert_into(todos::table)
            .values(todos::title.eq("late"))
            .execute(&mut conn)
            .await
    };
    assert!(insert().await.is_err());
    let lift = "ALTER TABLE shared.todos DROP CONSTRAINT tenancy_tenants_fkey";
    database.sabotage(lift).await;
    assert_eq!(insert().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renamed_tenant_keeps_its_data_and_its_old_slug_is_free() {
    for strategy in STRATEGIES {
        let (_database, shop) = serve(strategy).await;
        fill(&shop, A, 2).await;
        let provisioner = shop.tenancy.provisioner();
        let taken = provisioner.rename(&slug(A), &slug(B)).await.unwrap_err();
        assert_eq!(taken.code(), "conflict");
        assert!(taken.to_string().contains("`globex`"), "{taken}");
        let renamed = provisioner.rename(&slug(A), &slug("acme")).await.unwrap();
        assert_eq!(renamed.slug, slug("acme"));
        let todos = shop.tenant("acme").get("/todos").await.json(200);
        assert_eq!(todos.as_array().map(Vec::len), Some(2));
        let old = shop.tenant(A).get("/todos").await;
        assert_eq!(old.problem(400), "tenant_unresolved");
        let newcomer = provisioner
            .provision(NewTenant::new(A).unwrap())
            .await
            .unwrap();
        assert_ne!(newcomer.id, renamed.id);
        assert_eq!(shop.tenant(A).get("/todos").await.json(200), json!([]));
        // Two who want to go by the same name at once.
        let both = join_all(
            [A, "acme"].map(async |from| provisioner.rename(&slug(from), &slug("the-name")).await),
        );
        let won = both.await.into_iter().filter(Result::is_ok).count();
        assert_eq!(won, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_tenant_keeps_its_slug_until_it_is_destroyed() {
    for strategy in STRATEGIES {
        let (_database, shop) = serve(strategy).await;
        let provisioner = shop.tenancy.provisioner();
        provisioner.delete(&slug(A)).await.unwrap();
        let register = async || provisioner.provision(NewTenant::new(A).unwrap()).await;
        let taken = register().await.unwrap_err();
        assert_eq!(taken.code(), "conflict");
        provisioner.restore(&slug(A)).await.unwrap();
        assert!(register().await.is_err());
        provisioner.delete(&slug(A)).await.unwrap();
        provisioner.destroy(&slug(A)).await.unwrap();
        register().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_are_answered_one_by_one() {
    let (_database, shop) = serve(Strategy::Rls).await;
    let provisioner = shop.tenancy.provisioner();
    provisioner
        .provision(NewTenant::new("gone").unwrap())
        .await
        .unwrap();
    provisioner.delete(&slug("gone")).await.unwrap();
    let all = [A, "nobody", "gone", B].map(slug);
    let results = provisioner.suspend_all(&all).await;
    let codes: Vec<_> = results
        .iter()
        .map(|(slug, result)| {
            let code = result.as_ref().map_or_else(Error::code, |_| "suspended");
            (slug.as_str(), code)
        })
        .collect();
    let expected = [
        (A, "suspended"),
        ("nobody", "not_found"),
        ("gone", "conflict"),
        (B, "suspended"),
    ];
    assert_eq!(codes, expected);
    for slug in [A, B] {
        assert_eq!(shop.tenant(slug).get("/todos").await.status, 403);
    }
    let back = provisioner.activate_all(&all).await;
    assert_eq!(back.iter().filter(|(_, result)| result.is_ok()).count(), 2);
    shop.tenant(A).get("/todos").await.json(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_tenants_than_allowed_however_many_ask_at_once() {
    for strategy in STRATEGIES {
        let database = Database::empty().await;
        let vars = [("TENANCY_MAX_TENANTS", "3"), ("TENANCY_POOL_SIZE", "4")];
        let mut processes = Vec::new();
        for _ in 0..2 {
            let app = shop::app(Isolation::single(strategy)).seed(A);
            processes.push(Served::start(app, &database, &vars).await);
        }
        let attempts = (0..8).map(|n| {
            let provisioner = processes[n % 2].tenancy.provisioner();
            provisioner.provision(NewTenant::new(&format!("t-{n}")).unwrap())
        });
        let outcomes = join_all(attempts).await;
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (2, 6), "{strategy}");
        for lost in lost {
            let error = lost.unwrap_err();
            assert_eq!(error.code(), "conflict");
            assert!(error.to_string().contains("TENANCY_MAX_TENANTS"), "{error}");
        }
        // A deleted one counts until its data is gone.
        let provisioner = processes[0].tenancy.provisioner();
        let one_more = async || {
            provisioner
                .provision(NewTenant::new("one-more").unwrap())
                .await
        };
        provisioner.delete(&slug(A)).await.unwrap();
        assert!(one_more().await.is_err());
        provisioner.destroy(&slug(A)).await.unwrap();
        one_more().await.unwrap();
    }
}
