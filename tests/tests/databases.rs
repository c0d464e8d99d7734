//! Databases of tenants' own: how many connections there are, whose they are,
//! and that one tenant's server is nobody else's trouble.

use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use integration::database::Database;
use integration::http::Served;
use integration::servers::Postgres;
use serde_json::json;
use tenancy::prelude::*;
use tenancy::tenant::{Locator, Slug};
use tenancy::{Isolation, Strategy};

use crate::shop;

const SLUGS: [&str; 6] = ["t-a", "t-b", "t-c", "t-d", "t-e", "t-f"];

async fn serve(tenants: usize, vars: &[(&str, &str)]) -> (Database, Served) {
    let database = Database::empty().await;
    let app = shop::app(Isolation::single(Strategy::Database));
    let app = SLUGS[..tenants]
        .iter()
        .fold(app, |app, slug| app.seed(slug));
    let shop = Served::start(app, &database, vars).await;
    (database, shop)
}

fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}

/// The name of a tenant's database.
async fn name_of(shop: &Served, tenant: &str) -> String {
    let (tenant, _) = shop.tenancy.tenant(&slug(tenant)).await.expect("a tenant");
    let Some(Locator::Database(address, _)) = &tenant.record().locator else {
        panic!("a database");
    };
    address.name().to_string()
}

/// Waits until the application's connections are those.
async fn until_connected(database: &Database, names: &[String]) {
    let start = Instant::now();
    loop {
        let connected = database.connected().await;
        if connected == names {
            return;
        }
        let patience = Duration::from_secs(5);
        assert!(start.elapsed() < patience, "{connected:?} for {names:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_databases_share_few_connections() {
    let vars = [
        ("TENANCY_MAX_CONNECTIONS", "3"),
        ("TENANCY_DATABASE_POOL_SIZE", "2"),
        ("TENANCY_POOL_TIMEOUT", "30"),
    ];
    let (_database, shop) = serve(6, &vars).await;
    let databases = shop.tenancy.databases().unwrap();
    let requests = (0..120).map(async |n: usize| {
        let caller = shop.tenant(SLUGS[n % 6]);
        let answer = if n.is_multiple_of(3) {
            caller
                .post("/todos", json!({"title": format!("{n}")}))
                .await
        } else {
            caller.get("/todos").await
        };
        assert!(databases.connections() <= 3, "{databases:?}");
        answer.status.as_u16()
    });
    let statuses = join_all(requests).await;
    assert!(
        statuses.iter().all(|status| [200, 201].contains(status)),
        "{statuses:?}"
    );
    assert_eq!(databases.pools(), 6);
    // None is lost to the budget: it can be had again, whole.
    for tenant in SLUGS {
        let rows = shop.tenant(tenant).get("/todos").await.json(200);
        let rows = rows.as_array().map_or(0, Vec::len);
        assert!(rows == 0 || rows == 20, "{tenant}: {rows}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_a_place_keeps_it_while_there_is_room_for_all() {
    let vars = [
        ("TENANCY_MAX_CONNECTIONS", "9"),
        ("TENANCY_POOL_TIMEOUT", "30"),
    ];
    let (database, shop) = serve(6, &vars).await;
    // More at once than places, as each pool may have four.
    let readers = (0..8).map(async |reader: usize| {
        for n in 0..100 {
            let tenant = SLUGS[(reader * 5 + n * 7) % 6];
            shop.tenant(tenant).get("/todos").await.json(200);
        }
    });
    join_all(readers).await;
    let opened = "SELECT coalesce(sum(sessions), 0)::bigint FROM pg_stat_database \
         WHERE datname IN (SELECT database_name FROM tenancy.tenants)";
    let opened: i64 = database.value(opened).await;
    println!("{opened} connections for 800 requests");
    // Those that made and proved them, nine, and a few in their place.
    assert!(opened < 160, "{opened} connections for 800 requests");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_used_longest_ago_gives_up_its_connection() {
    let vars = [("TENANCY_MAX_CONNECTIONS", "2")];
    let (database, shop) = serve(3, &vars).await;
    let mut names = Vec::new();
    for tenant in &SLUGS[..3] {
        names.push(name_of(&shop, tenant).await);
    }
    for tenant in [0, 1, 0] {
        shop.tenant(SLUGS[tenant]).get("/todos").await.json(200);
    }
    let mut both = vec![names[0].clone(), names[1].clone()];
    both.sort();
    until_connected(&database, &both).await;
    let start = Instant::now();
    shop.tenant(SLUGS[2]).get("/todos").await.json(200);
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    let mut left = vec![names[0].clone(), names[2].clone()];
    left.sort();
    until_connected(&database, &left).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_all_connections_are_in_use_the_answer_is_503_in_time() {
    let vars = [
        ("TENANCY_MAX_CONNECTIONS", "1"),
        ("TENANCY_POOL_TIMEOUT", "0.5"),
    ];
    let (_database, shop) = serve(2, &vars).await;
    let hold = shop.tenant(SLUGS[0]);
    let rest = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let start = Instant::now();
        let refused = shop.tenant(SLUGS[1]).get("/todos").await;
        assert_eq!(refused.problem(503), "unavailable");
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "{:?}",
            start.elapsed()
        );
    };
    let (held, ()) = tokio::join!(hold.get("/hold/3000"), rest);
    assert_eq!(held.status, 200);
    // What comes back is given to who waits.
    shop.tenant(SLUGS[1]).get("/todos").await.json(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_opened_for_nobody_goes_to_who_waits_for_its_place() {
    let vars = [
        ("TENANCY_MAX_CONNECTIONS", "1"),
        ("TENANCY_POOL_TIMEOUT", "2"),
    ];
    let (_database, shop) = serve(3, &vars).await;
    let mut of = Vec::new();
    for tenant in &SLUGS[..3] {
        // Its database is proved here.
        shop.tenant(tenant).get("/todos").await.json(200);
        of.push(shop.tenancy.tenant(&slug(tenant)).await.unwrap().1);
    }
    for round in 0..20 {
        // It goes away while its connection opens, which then lies idle without
        // having come back from anybody.
        let leaving = of[2 * round % 3].conn().now_or_never();
        assert!(leaving.is_none(), "its connection was given to the other");
        let waiting = of[(2 * round + 1) % 3].conn().await;
        assert!(waiting.is_ok(), "round {round}: {:?}", waiting.err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_nobody_uses_are_closed() {
    let (database, shop) = serve(2, &[("TENANCY_POOL_IDLE_TIMEOUT", "0.3")]).await;
    for tenant in &SLUGS[..2] {
        shop.tenant(tenant).get("/todos").await.json(200);
    }
    until_connected(&database, &[]).await;
    let databases = shop.tenancy.databases().unwrap();
    let start = Instant::now();
    while databases.pools() > 0 {
        assert!(start.elapsed() < Duration::from_secs(5), "{databases:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    shop.tenant(SLUGS[0]).get("/todos").await.json(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_a_pool_who_is_not_admitted() {
    let (_database, shop) = serve(1, &[]).await;
    shop.tenancy
        .provisioner()
        .suspend(&slug(SLUGS[0]))
        .await
        .unwrap();
    let unknown = (0..300).map(|n| format!("unknown-{n}"));
    for tenant in unknown.chain([SLUGS[0].to_owned()]) {
        let refused = shop.tenant(&tenant).get("/todos").await;
        assert!([400, 403].contains(&refused.status.as_u16()));
    }
    let databases = shop.tenancy.databases().unwrap();
    assert_eq!((databases.pools(), databases.connections()), (0, 0));
    // The twin: admitted, it gets one.
    shop.tenancy
        .provisioner()
        .activate(&slug(SLUGS[0]))
        .await
        .unwrap();
    shop.tenant(SLUGS[0]).get("/todos").await.json(200);
    assert_eq!(databases.pools(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_the_trouble_of_its_tenants_only() {
    let mut elsewhere = Postgres::start().await;
    let (database, _here) = serve(1, &[]).await;
    database.roles_on(&elsewhere.url()).await;
    let template = |user: &str, password: &str| {
        let port = elsewhere.port();
        format!("postgres://{user}:{password}@127.0.0.1:{port}/{{database_name}}")
    };
    let (app, owner) = (
        template(database.app_role(), "a"),
        template(database.owner_role(), "o"),
    );
    let vars = [
        ("TENANCY_DATABASE_URL_TEMPLATE", &*app),
        ("TENANCY_OWNER_DATABASE_URL_TEMPLATE", &*owner),
        ("TENANCY_POOL_TIMEOUT", "1"),
        ("TENANCY_MAX_CONNECTIONS", "4"),
    ];
    let app = || shop::app(Isolation::single(Strategy::Database)).seed(SLUGS[1]);
    let shop = Served::start(app(), &database, &vars).await;
    // The one lives here and the other there; where is stored, not derived.
    for tenant in &SLUGS[..2] {
        let todo = json!({ "title": tenant });
        shop.tenant(tenant).post("/todos", todo).await.json(201);
    }
    // Its commits are written within three rounds of 200 ms.
    tokio::time::sleep(Duration::from_secs(1)).await;
    elsewhere.kill();
    for _ in 0..2 {
        let slow = async {
            let start = Instant::now();
            let refused = shop.tenant(SLUGS[1]).get("/todos").await;
            assert_eq!(refused.problem(503), "unavailable");
            assert!(
                start.elapsed() < Duration::from_secs(4),
                "{:?}",
                start.elapsed()
            );
        };
        let others = async {
            for _ in 0..20 {
                let start = Instant::now();
                shop.tenant(SLUGS[0]).get("/todos").await.json(200);
                assert!(
                    start.elapsed() < Duration::from_secs(1),
                    "{:?}",
                    start.elapsed()
                );
            }
        };
        tokio::join!(slow, others);
    }
    // A start, too, is not held up by it.
    let again = Served::start(app(), &database, &vars).await;
    again.tenant(SLUGS[0]).get("/todos").await.json(200);
    assert_eq!(again.tenant(SLUGS[1]).get("/todos").await.status, 503);

    elsewhere.start_again().await;
    let start = Instant::now();
    for shop in [&shop, &again] {
        loop {
            let answer = shop.tenant(SLUGS[1]).get("/todos").await;
            if answer.status == 200 {
                break;
            }
            let took = start.elapsed();
            assert!(
                took < Duration::from_secs(10),
                "{took:?}: {}",
                answer.text()
            );
        }
    }
    let provisioner = shop.tenancy.provisioner();
    provisioner.delete(&slug(SLUGS[1])).await.unwrap();
    let receipt = provisioner.destroy(&slug(SLUGS[1])).await.unwrap();
    assert_eq!(receipt.rows["todos"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_somebody_else_is_neither_taken_nor_dropped() {
    let (database, shop) = serve(1, &[]).await;
    let provisioner = shop.tenancy.provisioner();
    let foreign = format!("x_{}", Uuid::now_v7().simple());
    database
        .sabotage(&format!("CREATE DATABASE {foreign}"))
        .await;
    let exists = format!("SELECT count(*) FROM pg_database WHERE datname = '{foreign}'");
    for status in ["provisioning", "destroying"] {
        let point =
            format!("UPDATE tenancy.tenants SET status = '{status}', database_name = '{foreign}'");
        database.sabotage(&point).await;
        let refused = match status {
            "provisioning" => {
                let new = NewTenant::new(SLUGS[0]).unwrap();
                provisioner.provision(new).await.map(drop)
            }
            _ => provisioner.destroy(&slug(SLUGS[0])).await.map(drop),
        };
        let refused = refused.unwrap_err();
        assert!(matches!(refused, Error::PlaceTaken(_)), "{refused}");
        assert!(refused.to_string().contains(&foreign), "{refused}");
        assert_eq!(database.value::<i64>(&exists).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_may_make_no_databases_leaves_nothing_behind() {
    let (database, shop) = serve(0, &[]).await;
    let owner = database.owner_role();
    database
        .sabotage(&format!("ALTER ROLE {owner} NOCREATEDB"))
        .await;
    let provisioner = shop.tenancy.provisioner();
    let new = || NewTenant::new(SLUGS[0]).unwrap();
    let refused = provisioner.provision(new()).await.unwrap_err();
    assert!(refused.to_string().contains("CREATEDB"), "{refused}");
    let records = "SELECT count(*) FROM tenancy.tenants";
    assert_eq!(database.value::<i64>(records).await, 0);
    database
        .sabotage(&format!("ALTER ROLE {owner} CREATEDB"))
        .await;
    provisioner.provision(new()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destroyed_database_takes_its_connections_along() {
    let (database, shop) = serve(2, &[]).await;
    let (_, db) = shop.tenancy.tenant(&slug(SLUGS[0])).await.unwrap();
    // Held by another process, too.
    let app = shop::app(Isolation::single(Strategy::Database));
    let other = Served::start(app, &database, &[]).await;
    other.tenant(SLUGS[0]).get("/todos").await.json(200);
    let mut held = db.conn().await.unwrap();
    shop::Todo::query()
        .load::<shop::Todo>(&mut held)
        .await
        .unwrap();

    let provisioner = shop.tenancy.provisioner();
    provisioner.delete(&slug(SLUGS[0])).await.unwrap();
    provisioner.destroy(&slug(SLUGS[0])).await.unwrap();
    until_connected(&database, &[]).await;
    let refused = shop::Todo::query().load::<shop::Todo>(&mut held).await;
    let error = Error::from(refused.unwrap_err());
    assert_eq!(error.code(), "unavailable", "{error}");
    other.tenant(SLUGS[1]).get("/todos").await.json(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_is_proved_before_its_tenant_is_served() {
    let (database, shop) = serve(2, &[]).await;
    let (tenant, _) = shop.tenancy.tenant(&slug(SLUGS[0])).await.unwrap();
    let schema = tenant.record().locator.as_ref().unwrap().schema().clone();
    let superuser = database.superuser_at(tenant.record()).await;
    let lift = format!(
        "GRANT TRUNCATE ON {schema}.todos TO {}",
        database.app_role()
    );
    superuser.batch_execute(&lift).await.unwrap();

    let refused = shop.tenant(SLUGS[0]).get("/todos").await;
    assert_eq!(refused.problem(500), "internal");
    shop.tenant(SLUGS[1]).get("/todos").await.json(200);
    let problems = shop.tenancy.verify().await.unwrap();
    assert_eq!(problems.len(), 1, "{problems:?}");
    let remedy = problems[0].remedy().trim_start_matches("run: ").to_owned();
    superuser.batch_execute(&remedy).await.unwrap();
    shop.tenant(SLUGS[0]).get("/todos").await.json(200);
    assert!(shop.tenancy.verify().await.unwrap().is_empty());
}
