//! The stages between beginning and end, and the slugs of those who are in them.

use futures_util::future::join_all;
use integration::database::Database;
use integration::http::Served;
use tenancy::prelude::*;
use tenancy::tenant::TenantStatus;
use tenancy::{Isolation, Strategy};

use super::{A, B, fill, found, slug};
use crate::grounds::{grounds, single_grounds};
use crate::shop;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stage_keeps_out_or_lets_in_and_keeps_the_data() {
    for ground in grounds() {
        let stand = ground.serve(&[A, B]).await;
        let shop = &stand.shop;
        fill(shop, A, 2).await;
        let provisioner = shop.tenancy.provisioner();
        let a = slug(A);
        let stay_out = async || {
            let refused = shop.tenant(A).get("/todos").await;
            assert_eq!(refused.problem(403), "tenant_inactive", "{ground}");
            // Nobody else is touched.
            shop.tenant(B).get("/todos").await.json(200);
        };
        let served = async || assert_eq!(found(shop, A).await, 2, "{ground}");
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
async fn a_renamed_tenant_keeps_its_data_and_its_old_slug_is_free() {
    for ground in grounds() {
        let stand = ground.serve(&[A, B]).await;
        let shop = &stand.shop;
        fill(shop, A, 2).await;
        let provisioner = shop.tenancy.provisioner();
        let (before, _) = shop.tenancy.tenant(&slug(A)).await.unwrap();
        let taken = provisioner.rename(&slug(A), &slug(B)).await.unwrap_err();
        assert_eq!(taken.code(), "conflict");
        assert!(taken.to_string().contains("`globex`"), "{taken}");
        let renamed = provisioner.rename(&slug(A), &slug("acme")).await.unwrap();
        assert_eq!(renamed.slug, slug("acme"));
        // Where it is premium by its old slug, that was decided once.
        assert_eq!(renamed.locator, before.record().locator, "{ground}");
        assert_eq!(found(shop, "acme").await, 2, "{ground}");
        let old = shop.tenant(A).get("/todos").await;
        assert_eq!(old.problem(400), "tenant_unresolved");
        let newcomer = provisioner
            .provision(NewTenant::new(A).unwrap())
            .await
            .unwrap();
        assert_ne!(newcomer.id, renamed.id);
        assert_eq!(newcomer.strategy(), Some(ground.strategies[0]), "{ground}");
        assert_eq!(found(shop, A).await, 0, "{ground}");
        // Two who want to go by the same name at once.
        let both = join_all(
            [A, "acme"].map(async |from| provisioner.rename(&slug(from), &slug("the-name")).await),
        );
        let won = both.await.into_iter().filter(Result::is_ok).count();
        assert_eq!(won, 1, "{ground}");
        assert_eq!(stand.problems().await, Vec::<String>::new(), "{ground}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_tenant_keeps_its_slug_until_it_is_destroyed() {
    for ground in single_grounds() {
        let stand = ground.serve(&[A, B]).await;
        let provisioner = stand.shop.tenancy.provisioner();
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
    for ground in single_grounds() {
        let stand = ground.serve(&[A, B, "gone"]).await;
        let shop = &stand.shop;
        let provisioner = shop.tenancy.provisioner();
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
        assert_eq!(codes, expected, "{ground}");
        for slug in [A, B] {
            assert_eq!(shop.tenant(slug).get("/todos").await.status, 403);
        }
        let back = provisioner.activate_all(&all).await;
        assert_eq!(back.iter().filter(|(_, result)| result.is_ok()).count(), 2);
        shop.tenant(A).get("/todos").await.json(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_tenants_than_allowed_however_many_ask_at_once() {
    for strategy in [Strategy::Rls, Strategy::Schema, Strategy::Database] {
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
