//! The end: what is gone with a tenant, and what cannot come after.

use std::time::Duration;

use tenancy::Strategy;
use tenancy::prelude::*;
use tenancy::tenant::Receipt;

use super::{A, B, fill, found, slug};
use crate::grounds::{Ground, Stand, grounds};
use crate::shop::{NewTodo, todos};

const STRATEGIES: [Strategy; 3] = [Strategy::Rls, Strategy::Schema, Strategy::Database];

/// Whether anything of a tenant's data is left in the database or on its server.
async fn remains(stand: &Stand, tenant: &TenantRecord) -> bool {
    let id = tenant.id;
    let name = format!("t_{}", id.as_uuid().simple());
    let mut all = vec![
        format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'"),
        format!("SELECT count(*) FROM pg_namespace WHERE nspname = '{name}'"),
    ];
    if tenant.strategy() == Some(Strategy::Rls) {
        // Nobody but the owner reads the roll.
        let roll = stand.server.as_ref().map(|_| "tenancy_tenants");
        for table in ["todos", "projects"].into_iter().chain(roll) {
            all.push(format!(
                "SELECT count(*) FROM shared.{table} WHERE tenant_id = '{id}'"
            ));
        }
    }
    for sql in all {
        if stand.count(&sql).await > 0 {
            return true;
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destroyed_tenant_leaves_a_receipt_and_nothing_else() {
    for ground in grounds() {
        let stand = ground.serve(&[A, B]).await;
        let shop = &stand.shop;
        for slug in [A, B] {
            fill(shop, slug, 3).await;
        }
        let provisioner = shop.tenancy.provisioner();
        let [of_a, of_b] = ground.strategies;
        for (name, other, strategy) in [(A, B, of_a), (B, A, of_b)] {
            let slug = slug(name);
            let tenant = provisioner.delete(&slug).await.unwrap();
            assert!(
                remains(&stand, &tenant).await,
                "soft-delete keeps it: {ground}"
            );

            let receipt = provisioner.destroy(&slug).await.unwrap();
            assert_eq!((receipt.id, &receipt.slug), (tenant.id, &slug));
            assert_eq!(receipt.isolation_strategy, Some(strategy));
            assert_eq!((receipt.rows["todos"], receipt.rows["projects"]), (3, 1));
            assert_eq!(receipt.dropped.is_some(), strategy != Strategy::Rls);
            assert!(!remains(&stand, &tenant).await, "{ground}");
            let refused = shop.tenant(name).get("/todos").await;
            assert_eq!(refused.problem(400), "tenant_unresolved");
            assert_eq!(found(shop, other).await, 3, "{ground}");

            // Asked again, it is the same receipt, to the microsecond.
            let again = provisioner.destroy(&slug).await.unwrap();
            let whole = |receipt: &Receipt| serde_json::to_value(receipt).unwrap();
            assert_eq!(whole(&again), whole(&receipt));

            // Whoever gets the slug next inherits nothing.
            let next = provisioner.provision(NewTenant::new(name).unwrap()).await;
            let next = next.unwrap();
            assert_ne!(next.id, tenant.id);
            assert_eq!(next.strategy(), Some(strategy));
            assert_eq!(next.locator == tenant.locator, strategy == Strategy::Rls);
            assert_eq!(found(shop, name).await, 0, "{ground}");
            fill(shop, name, 3).await;
        }
        assert_eq!(stand.problems().await, Vec::<String>::new(), "{ground}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_tenant_named_nothing_would_be_deleted() {
    // The twin: what the owner's DELETE does that forgets to say whose rows.
    let stand = Ground::server(Strategy::Rls).serve(&[A, B]).await;
    let (shop, database) = (&stand.shop, stand.database());
    fill(shop, A, 3).await;
    let delete = "WITH gone AS (DELETE FROM shared.todos RETURNING 1) SELECT count(*) FROM gone";
    let gone: i64 = database.owner.query_one(delete, &[]).await.unwrap().get(0);
    assert_eq!(gone, 0, "it sees none, and reports success");
    let left: i64 = database.value("SELECT count(*) FROM shared.todos").await;
    assert_eq!(left, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_admitted_before_writes_nothing_after() {
    for strategy in STRATEGIES {
        let stand = Ground::server(strategy).serve(&[A, B]).await;
        let shop = &stand.shop;
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
        assert!(!remains(&stand, &tenant).await, "{strategy}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_roll_a_late_row_would_stay() {
    // The twin of the test above: row-level security alone lets it through.
    let stand = Ground::server(Strategy::Rls).serve(&[A, B]).await;
    let (shop, database) = (&stand.shop, stand.database());
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
