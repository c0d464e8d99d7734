//! Processes that are killed between any two of their round trips.

use tenancy::Strategy;

use super::{Bench, NEIGHBOUR, SLUG, STRATEGIES, destroy, tenant_with_a_row, titles};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_while_it_provisions_leaves_a_whole_tenant_or_none() {
    for strategy in STRATEGIES {
        let bench = Bench::new(strategy).await;
        let (mut whole, mut none) = (0, 0);
        for turns in 0.. {
            let finished = bench.command(&["tenants", "create", SLUG], turns).await;
            let shop = bench.start().await;
            match bench.status().await.as_deref() {
                Some("active") => {
                    whole += 1;
                    assert_eq!(bench.things().await, 1);
                    tenant_with_a_row(&shop, SLUG).await;
                    assert_eq!(titles(&shop, SLUG).await, ["kept"]);
                    destroy(&shop).await;
                }
                None => none += 1,
                Some(other) => panic!("{other} after {turns} turns"),
            }
            assert_eq!(bench.things().await, 0, "{strategy} after {turns} turns");
            assert_eq!(titles(&shop, NEIGHBOUR).await, ["kept"]);
            if finished {
                break;
            }
        }
        assert!(
            whole > 0 && none > 5,
            "{strategy}: {whole} whole, {none} none"
        );
        if strategy == Strategy::Database {
            assert!(whole > 3, "some were finished by the next start: {whole}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_while_it_destroys_leaves_a_whole_tenant_or_none() {
    for strategy in STRATEGIES {
        let bench = Bench::new(strategy).await;
        let slug = SLUG.parse().unwrap();
        let mut kept = 0;
        for turns in 0.. {
            let shop = bench.start().await;
            let provisioner = shop.tenancy.provisioner();
            if bench.status().await.as_deref() == Some("deleted") {
                provisioner.restore(&slug).await.unwrap();
            }
            tenant_with_a_row(&shop, SLUG).await;
            provisioner.delete(&slug).await.unwrap();
            drop(shop);
            let destroy = ["tenants", "destroy", SLUG, "--yes"];
            let finished = bench.command(&destroy, turns).await;
            let shop = bench.start().await;
            match bench.status().await.as_deref() {
                Some("deleted") => {
                    kept += 1;
                    shop.tenancy.provisioner().restore(&slug).await.unwrap();
                    assert_eq!(titles(&shop, SLUG).await, ["kept"], "{strategy} {turns}");
                }
                None => {
                    assert_eq!(bench.things().await, 0, "{strategy} after {turns} turns");
                    let receipt = shop.tenancy.provisioner().receipt(&slug).await.unwrap();
                    assert_eq!(receipt.rows["todos"], 1, "{strategy} after {turns} turns");
                }
                Some(other) => panic!("{other} after {turns} turns"),
            }
            assert_eq!(titles(&shop, NEIGHBOUR).await, ["kept"]);
            if finished {
                break;
            }
        }
        assert!(kept > 3, "{strategy}: {kept}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_while_it_renames_leaves_one_name() {
    for strategy in STRATEGIES {
        let bench = Bench::new(strategy).await;
        let shop = bench.start().await;
        tenant_with_a_row(&shop, SLUG).await;
        for turns in 0.. {
            let finished = bench
                .command(&["tenants", "rename", SLUG, "initrode"], turns)
                .await;
            let names = format!(
                "SELECT string_agg(slug, ' ') FROM tenancy.tenants WHERE slug <> '{NEIGHBOUR}'"
            );
            let name: String = bench.database.value(&names).await;
            assert!([SLUG, "initrode"].contains(&&*name), "{name}");
            if name != SLUG {
                let (from, to) = (name.parse().unwrap(), SLUG.parse().unwrap());
                shop.tenancy.provisioner().rename(&from, &to).await.unwrap();
            }
            assert_eq!(titles(&shop, SLUG).await, ["kept"]);
            if finished {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_while_it_migrates_is_followed_by_one_that_finishes() {
    for strategy in STRATEGIES {
        // A table that comes later, for tenants that are there.
        let bench = Bench::new(strategy).await;
        let shop = bench.start().await;
        tenant_with_a_row(&shop, SLUG).await;
        let (tenant, _) = shop.tenancy.tenant(&SLUG.parse().unwrap()).await.unwrap();
        let schema = tenant.record().locator.as_ref().unwrap().schema().clone();
        let superuser = bench.database.superuser_at(tenant.record()).await;
        for turns in 0.. {
            let lose = format!("DROP TABLE IF EXISTS {schema}.todos CASCADE");
            superuser.batch_execute(&lose).await.unwrap();
            let finished = bench.command(&["migrate"], turns).await;
            // With everything that belongs to it, or not there.
            let whole = format!(
                "SELECT count(*) FROM pg_class c WHERE c.oid = to_regclass('{schema}.todos') \
                 AND (NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid \
                     AND k.contype = 'p') OR c.relacl IS NULL \
                     OR '{strategy}' = 'rls' AND (NOT c.relforcerowsecurity \
                     OR (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid) <> 2))"
            );
            let half: i64 = superuser.query_one(&whole, &[]).await.unwrap().get(0);
            assert_eq!(half, 0, "{strategy} after {turns} turns");
            if finished {
                break;
            }
        }
        bench.start().await;
        assert!(titles(&shop, SLUG).await.is_empty());
    }
}
