//! A server that is killed under the application's work.

use std::time::Duration;

use integration::database::Database;
use integration::http::Served;
use integration::servers::Postgres;
use serde_json::json;
use tenancy::Isolation;
use tenancy::prelude::*;

use super::{STRATEGIES, lines};
use crate::shop;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_the_middle_leaves_whole_tenants_or_none() {
    let mut postgres = Postgres::start().await;
    let database = Database::empty_on(&postgres.url()).await;
    let vars = [("TENANCY_POOL_TIMEOUT", "1"), ("TENANCY_POOL_SIZE", "4")];
    let app = |strategy| shop::app(Isolation::single(strategy));
    for round in 0..6u64 {
        let strategy = STRATEGIES[(round % 3) as usize];
        let shop = Served::start(app(strategy), &database, &vars).await;
        let provisioner = shop.tenancy.provisioner().clone();
        let work = tokio::spawn(async move {
            for n in 0..20 {
                let slug = format!("t-{round}-{n}");
                let tenant = provisioner.provision(NewTenant::new(&slug)?).await?;
                if n % 2 == 1 {
                    let other = format!("r-{round}-{n}").parse()?;
                    provisioner.rename(&tenant.slug, &other).await?;
                } else {
                    provisioner.delete(&tenant.slug).await?;
                    provisioner.destroy(&tenant.slug).await?;
                }
            }
            Ok::<(), Error>(())
        });
        tokio::time::sleep(Duration::from_millis(150 + round * 90)).await;
        postgres.kill();
        let _ = work.await.unwrap();
        drop(shop);
        postgres.start_again().await;
        let shop = Served::start(app(strategy), &database, &vars).await;
        assert_eq!(lines(&shop).await, Vec::<String>::new(), "round {round}");
        for tenant in shop.tenancy.provisioner().list(None, 1_000).await.unwrap() {
            let status = tenant.status.as_str();
            assert!(
                ["active", "deleted"].contains(&status),
                "{} {status}",
                tenant.slug
            );
            if status == "active" {
                let todos = shop.tenant(tenant.slug.as_str()).get("/todos").await;
                assert_eq!(todos.json(200), json!([]), "{}", tenant.slug);
            }
        }
    }
}
