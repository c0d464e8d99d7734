//! Two who do something to one tenant at once, callers who leave, and servers
//! that take connections and say nothing.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use integration::database::Database;
use integration::http::Served;
use integration::wire::Wire;
use serde_json::json;
use tenancy::config::Config;
use tenancy::prelude::*;
use tenancy::provision::Migration;
use tenancy::tenant::Slug;
use tenancy::{Isolation, Strategy};

use crate::shop;

static BROKEN: &[Migration] = &[Migration {
    version: "1",
    name: "broken",
    sql: "SELECT 1/0",
}];

static HARMLESS: &[Migration] = &[Migration {
    version: "1",
    name: "harmless",
    sql: "SELECT 1",
}];

fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}

fn app(strategy: Strategy) -> App {
    shop::app(Isolation::single(strategy))
}

fn plain() -> App {
    App::new("plain", "1").isolation(Isolation::single(Strategy::Database))
}

async fn through(app: App, database: &Database, wire: &Wire) -> tenancy::Tenancy {
    let real = format!(":{}/", database.app.get_ports()[0]);
    let owner = database
        .owner_url()
        .replace(&real, &format!(":{}/", wire.port));
    let template = |url: &str| {
        format!(
            "{}/{{database_name}}",
            url.rsplit_once('/').expect("a URL").0
        )
    };
    let vars = vec![
        ("TENANCY_DATABASE_URL".to_owned(), database.app_url()),
        ("TENANCY_OWNER_DATABASE_URL".to_owned(), owner),
        (
            "TENANCY_DATABASE_URL_TEMPLATE".to_owned(),
            template(&database.app_url()),
        ),
        (
            "TENANCY_OWNER_DATABASE_URL_TEMPLATE".to_owned(),
            template(&database.owner_url()),
        ),
    ];
    let config = Config::from_vars(app.defaults(), vars).expect("config");
    let (tenancy, _router) = app.start(config).await.expect("starts");
    tenancy
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_fail_at_one_tenant_leave_no_database() {
    let database = Database::empty().await;
    let wire = Wire::to(format!("127.0.0.1:{}", database.app.get_ports()[0])).await;
    let broken = || plain().migrations(BROKEN);
    let slow = through(broken(), &database, &wire).await;
    let fast = Served::start(broken(), &database, &[]).await;
    let first = tokio::spawn({
        let p = slow.provisioner().clone();
        async move { p.provision(NewTenant::new("acme-corp").unwrap()).await }
    });
    let there = "SELECT count(*) FROM tenancy.tenants";
    while database.value::<i64>(there).await == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let second = fast
        .tenancy
        .provisioner()
        .provision(NewTenant::new("acme-corp").unwrap())
        .await;
    for outcome in [second, first.await.unwrap()] {
        let error = outcome.unwrap_err();
        assert!(!matches!(error, Error::PlaceTaken(_)), "{error}");
    }
    let entries: i64 = database.value(there).await;
    let databases = database.own_databases().await.len();
    assert_eq!((entries, databases), (0, 0), "entries, databases");
}

/// A port that takes connections and says nothing.
async fn silent() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((client, _)) = listener.accept().await {
            held.push(client);
        }
    });
    port
}

async fn with_silent() -> (Database, Served) {
    let database = Database::empty().await;
    let shop = app(Strategy::Database).seed("t-a").seed("t-b");
    let shop = Served::start(shop, &database, &[("TENANCY_POOL_TIMEOUT", "1")]).await;
    let port = silent().await;
    database
        .sabotage(&format!(
            "UPDATE tenancy.tenants SET database_port = {port} WHERE slug = 't-b'"
        ))
        .await;
    (database, shop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_holds_up_no_start() {
    let (database, _shop) = with_silent().await;
    let start = Served::start(
        app(Strategy::Database),
        &database,
        &[("TENANCY_POOL_TIMEOUT", "1")],
    );
    assert!(
        tokio::time::timeout(Duration::from_secs(25), start)
            .await
            .is_ok(),
        "the start hangs"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_takes_nobody_the_owner_s_connections() {
    let (_database, shop) = with_silent().await;
    let p = shop.tenancy.provisioner().clone();
    p.delete(&slug("t-b")).await.unwrap();
    for _ in 0..4 {
        let p = p.clone();
        tokio::spawn(async move { p.destroy(&slug("t-b")).await });
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_secs(8)).await;
    let other = p.suspend(&slug("t-a")).await;
    assert!(other.is_ok(), "another tenant: {other:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_a_silent_server_waits_as_long_as_each_other() {
    let (_database, shop) = with_silent().await;
    let start = Instant::now();
    let all = join_all((0..8).map(async |_| {
        let answer = shop.tenant("t-b").get("/todos").await;
        (answer.status.as_u16(), start.elapsed())
    }))
    .await;
    let last = all.iter().map(|(_, t)| *t).max().unwrap();
    assert!(all.iter().all(|(status, _)| *status == 503), "{all:?}");
    assert!(last < Duration::from_secs(4), "{all:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_leaves_while_the_entry_is_made_leaves_a_whole_tenant() {
    let database = Database::empty().await;
    let wire = Wire::to(format!("127.0.0.1:{}", database.app.get_ports()[0])).await;
    let slow = through(plain(), &database, &wire).await;
    let p = slow.provisioner().clone();
    let work = tokio::spawn(async move { p.provision(NewTenant::new("acme-corp").unwrap()).await });
    let there = "SELECT count(*) FROM tenancy.tenants";
    while database.value::<i64>(there).await == 0 {
        tokio::task::yield_now().await;
    }
    work.abort();
    let status = "SELECT max(status) FROM tenancy.tenants";
    let start = Instant::now();
    while database.value::<String>(status).await != "active" {
        assert!(start.elapsed() < Duration::from_secs(10), "nobody goes on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

static LONG: &[Migration] = &[Migration {
    version: "1",
    name: "long",
    sql: "CREATE TABLE \"tenant\".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa_1 (id bigint PRIMARY KEY);
          CREATE TABLE \"tenant\".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa_2 (id bigint PRIMARY KEY)",
}];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_with_the_longest_names_are_emptied() {
    let database = Database::empty().await;
    let app = App::new("long", "1")
        .isolation(Isolation::single(Strategy::Rls))
        .migrations(LONG)
        .seed("acme-corp");
    let shop = Served::start(app, &database, &[]).await;
    let p = shop.tenancy.provisioner();
    p.delete(&slug("acme-corp")).await.unwrap();
    p.destroy(&slug("acme-corp")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_goes_on_with_no_namesake() {
    let database = Database::empty().await;
    let one = Served::start(
        app(Strategy::Database).seed("aaa").seed("bbb"),
        &database,
        &[],
    )
    .await;
    let p = one.tenancy.provisioner().clone();
    p.delete(&slug("bbb")).await.unwrap();
    database
        .sabotage(
            "UPDATE tenancy.tenants SET status = 'provisioning' WHERE slug = 'aaa'; \
             UPDATE tenancy.tenants SET status = 'destroying', restores_to = NULL WHERE slug = 'bbb'",
        )
        .await;
    database
        .sabotage("BEGIN; SELECT FROM tenancy.tenants WHERE slug = 'aaa' FOR UPDATE")
        .await;
    let (_two, id) = tokio::join!(
        Served::start(
            app(Strategy::Database),
            &database,
            &[("TENANCY_POOL_TIMEOUT", "20")]
        ),
        async {
            // By now it has listed the tenants and waits for the first.
            tokio::time::sleep(Duration::from_millis(1000)).await;
            p.destroy(&slug("bbb")).await.unwrap();
            let next = p.provision(NewTenant::new("bbb").unwrap()).await.unwrap();
            one.tenant("bbb")
                .post("/todos", json!({"title": "precious"}))
                .await
                .json(201);
            p.delete(&slug("bbb")).await.unwrap();
            database.sabotage("COMMIT").await;
            next.id
        }
    );
    let restored = p.restore(&slug("bbb")).await;
    assert_eq!(restored.map(|r| r.id).ok(), Some(id), "its data is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_starts_although_a_tenant_is_destroyed_meanwhile() {
    let database = Database::empty().await;
    let app = || app(Strategy::Schema).migrations(HARMLESS);
    let shop = Served::start(app().seed("stays").seed("goes"), &database, &[]).await;
    // It waits for this when it has listed the tenants.
    let hold = "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('tenancy.tables', 0))";
    database.owner.batch_execute(hold).await.unwrap();
    let start = async {
        let other = Served::start(app(), &database, &[]).await;
        other.tenant("stays").get("/todos").await.json(200);
        other.tenancy.migrate().await.unwrap();
    };
    let destroy = async {
        let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        while database.value::<i64>(waiting).await == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let provisioner = shop.tenancy.provisioner();
        provisioner.delete(&slug("goes")).await.unwrap();
        provisioner.destroy(&slug("goes")).await.unwrap();
        database.owner.batch_execute("COMMIT").await.unwrap();
    };
    tokio::join!(start, destroy);
}
