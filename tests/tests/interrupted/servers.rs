//! A server that is killed under the application's work.

use std::time::Duration;

use integration::database::Database;
use integration::http::{Login, Served, start};
use integration::servers::Postgres;
use serde_json::json;
use tenancy::isolation::{Isolation, Strategy};
use tenancy::prelude::*;
use tenancy::provision::Migration;
use tenancy::tenant::{Locator, Slug};
use tokio_postgres::NoTls;

use super::{STRATEGIES, lines};
use crate::shop;

/// What there is of tenants beyond their entries; none of it if it is zero.
const STRAYS: &str = "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 't\\_%') \
     + (SELECT count(*) FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba \
        WHERE datname LIKE 't\\_%' AND r.rolname = '{owner}') \
     + (SELECT count(*) FROM shared.tenancy_tenants) \
     - (SELECT count(*) FROM tenancy.tenants)";

/// A database in which what was committed outlives the kill, as elsewhere: these
/// servers are quicker than that.
async fn durable(postgres: &Postgres) -> Database {
    let database = Database::empty_on(&postgres.url()).await;
    for role in [database.owner_role(), database.app_role()] {
        let durable = format!("ALTER ROLE {role} SET synchronous_commit = on");
        database.sabotage(&durable).await;
    }
    database
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_the_middle_leaves_whole_tenants_or_none() {
    let mut postgres = Postgres::start().await;
    let database = durable(&postgres).await;
    let vars = [("TENANCY_POOL_TIMEOUT", "1"), ("TENANCY_POOL_SIZE", "4")];
    let app = |strategy| shop::app(Isolation::single(strategy));
    for round in 0..6u64 {
        let strategy = STRATEGIES[(round % 3) as usize];
        let shop = Served::start(app(strategy), &database, &vars).await;
        let provisioner = shop.tenancy.provisioner().clone();
        let work = tokio::spawn(async move {
            for n in 0.. {
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
        let ended = work.await.unwrap();
        assert!(ended.is_err(), "it was interrupted");
        drop(shop);
        postgres.start_again().await;
        let shop = Served::start(app(strategy), &database, &vars).await;
        assert_eq!(lines(&shop).await, Vec::<String>::new(), "round {round}");
        let strays = STRAYS.replace("{owner}", database.owner_role());
        let superuser = database.raw_superuser().await;
        let strays: i64 = superuser.query_one(&strays, &[]).await.unwrap().get(0);
        assert_eq!(strays, 0, "round {round}");
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

/// As a server leaves it that goes down while it drops a database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_was_half_dropped_is_dropped_at_the_next_attempt() {
    let postgres = Postgres::start().await;
    let database = Database::empty_on(&postgres.url()).await;
    let app = || shop::app(Isolation::single(Strategy::Database));
    let shop = Served::start(app(), &database, &[]).await;
    let provisioner = shop.tenancy.provisioner();
    let slug: Slug = "initech".parse().unwrap();
    let tenant = provisioner.provision(NewTenant::new("initech").unwrap());
    let tenant = tenant.await.unwrap();
    provisioner.delete(&slug).await.unwrap();
    let Some(Locator::Database(address, _)) = &tenant.locator else {
        panic!("{tenant:?}");
    };
    let name = address.name();
    let half = format!(
        "UPDATE pg_database SET datconnlimit = -2 WHERE datname = '{name}'; \
         UPDATE tenancy.tenants SET status = 'destroying', restores_to = NULL \
         WHERE slug = 'initech'"
    );
    database
        .raw_superuser()
        .await
        .batch_execute(&half)
        .await
        .unwrap();
    // The twin: whoever wants to count its rows first gets no further.
    let inside = postgres.url().replace("/postgres", &format!("/{name}"));
    assert!(tokio_postgres::connect(&inside, NoTls).await.is_err());
    drop(shop);
    let shop = Served::start(app(), &database, &[]).await;
    shop.tenancy.provisioner().receipt(&slug).await.unwrap();
    let left = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
    assert_eq!(database.value::<i64>(&left).await, 0);
}

/// What the first step makes.
#[tenant_model(migrated)]
pub struct Note {
    /// The key.
    pub id: i64,
    /// What to keep.
    pub text: String,
}

/// One table each. All but the first take a while, so that a kill finds them at it.
fn steps() -> &'static [Migration] {
    let first = r#"CREATE TABLE "tenant".notes (
        id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, text text NOT NULL)"#;
    let later = |n| {
        format!(
            r#"CREATE TABLE "tenant".t{n} (id bigint REFERENCES "tenant".notes);
            SELECT pg_sleep(0.05)"#
        )
    };
    let all = (1..=6).map(|n| Migration {
        version: n.to_string().leak(),
        name: "step",
        sql: if n == 1 { first } else { later(n).leak() },
    });
    all.collect::<Vec<_>>().leak()
}

/// How many migrations a tenant's ledger has, and how many of their tables there
/// are with all that protects them.
async fn progress(database: &Database, tenant: &TenantRecord) -> (i64, i64) {
    let schema = tenant.locator.as_ref().expect("a place").schema();
    let superuser = database.superuser_at(tenant).await;
    let sql = format!(
        "SELECT (SELECT count(*) FROM {schema}.tenancy_migrations), (SELECT count(*) FROM pg_class \
         WHERE relnamespace = '{schema}'::regnamespace AND relname ~ '^(notes|t[0-9])$' \
         AND ('{schema}' <> 'shared' OR relforcerowsecurity))"
    );
    let row = superuser.query_one(&sql, &[]).await.expect("a place");
    (row.get(0), row.get(1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_a_migration_leaves_every_place_in_step() {
    let mut postgres = Postgres::start().await;
    let steps = steps();
    let all = i64::try_from(steps.len()).unwrap();
    let vars = [("TENANCY_POOL_TIMEOUT", "1")];
    for strategy in STRATEGIES {
        let app = |steps| {
            let app = App::new("notes", "1.0.0").isolation(Isolation::single(strategy));
            let app = app.migrations(steps).model::<Note>();
            ["acme-corp", "globex", "initech"]
                .iter()
                .fold(app, |app, slug| app.seed(slug))
        };
        let database = durable(&postgres).await;
        let shop = Served::start(app(&steps[..1]), &database, &vars).await;
        let tenants = shop.tenancy.provisioner().list(None, 10).await.unwrap();
        for tenant in &tenants {
            let (_, db) = shop.tenancy.tenant(&tenant.slug).await.unwrap();
            let note = NewNote {
                id: None,
                text: tenant.slug.to_string(),
            };
            note.insert(&mut db.conn().await.unwrap()).await.unwrap();
        }
        drop(shop);

        let kill = async {
            while progress(&database, &tenants[0]).await.0 < 2 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            postgres.kill();
        };
        let (killed, ()) = tokio::join!(start(app(steps), &database, Login::Both, &vars), kill);
        drop(killed);
        postgres.start_again().await;
        let mut half_way = 0;
        for tenant in &tenants {
            let (entries, tables) = progress(&database, tenant).await;
            assert_eq!(entries, tables, "{strategy}, `{}`", tenant.slug);
            half_way += i32::from((2..all).contains(&entries));
        }
        assert!(half_way > 0, "{strategy}: the kill came too late");

        let shop = Served::start(app(steps), &database, &vars).await;
        assert_eq!(lines(&shop).await, Vec::<String>::new(), "{strategy}");
        for tenant in &tenants {
            assert_eq!(progress(&database, tenant).await, (all, all), "{strategy}");
            let (_, db) = shop.tenancy.tenant(&tenant.slug).await.unwrap();
            let texts = notes::table.select(notes::text);
            let texts: Vec<String> = texts.load(&mut db.conn().await.unwrap()).await.unwrap();
            assert_eq!(texts, [tenant.slug.as_str()], "{strategy}");
        }
        // The twin: a table without its entry is seen.
        let schema = tenants[0].locator.as_ref().unwrap().schema();
        let forget = format!("DELETE FROM {schema}.tenancy_migrations WHERE version = '6'");
        let superuser = database.superuser_at(&tenants[0]).await;
        superuser.batch_execute(&forget).await.unwrap();
        assert_eq!(progress(&database, &tenants[0]).await, (all - 1, all));
    }
}
