//! Places that are made before their tenants: who gets one, what becomes of the
//! others, and that nothing is left where the work was cut off.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use integration::database::Database;
use integration::http::Served;
use integration::polls::polled;
use serde_json::json;
use tenancy::prelude::*;
use tenancy::{Isolation, Provisioner, Strategy};

use crate::shop;

/// How many places there are that tenants have or may get.
const LISTED: &str = "SELECT (SELECT count(*) FROM tenancy.standby) \
     + (SELECT count(*) FROM tenancy.tenants WHERE strategy <> 'rls')";

const READY: &str = "SELECT count(*) FROM tenancy.standby WHERE state = 'ready'";

/// One more table than the shop has.
#[tenant_model]
pub struct Note {
    /// The key.
    pub id: Uuid,
    /// What it says.
    pub text: String,
}

/// A schema for the premium tenant, a database for every other.
fn app() -> App {
    let isolation = Isolation::hybrid(Strategy::Schema, Strategy::Database);
    shop::app(isolation.premium_plans(["premium"]))
}

/// The shop, and its provisioner with so many places ready that are filled up by
/// nobody but the test.
async fn serve(database: &Database, standby: u32) -> (Served, Provisioner) {
    let shop = Served::start(app(), database, &[("TENANCY_POOL_SIZE", "4")]).await;
    let provisioner = shop.tenancy.provisioner().clone().standby(standby);
    provisioner.refill().await.expect("places");
    (shop, provisioner)
}

fn new(slug: &str, strategy: Strategy) -> NewTenant {
    NewTenant::new(slug).expect("a slug").strategy(strategy)
}

/// The schemas and databases that are there, whoever's they are.
async fn places(database: &Database) -> i64 {
    database.value(&all_places(database)).await
}

fn all_places(database: &Database) -> String {
    format!(
        "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 't\\_%') \
         + (SELECT count(*) FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba \
            WHERE datname LIKE 't\\_%' AND r.rolname = '{}')",
        database.owner_role()
    )
}

/// Waits until so many places are ready and none is on its way.
async fn until_ready(database: &Database, count: i64) {
    let start = Instant::now();
    let unready = "SELECT count(*) FROM tenancy.standby WHERE state <> 'ready'";
    while database.value::<i64>(READY).await != count || database.value::<i64>(unready).await != 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "never {count}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_gets_a_place_that_is_ready_and_finds_it_empty() {
    let database = Database::empty().await;
    let (shop, provisioner) = serve(&database, 1).await;
    assert_eq!(database.value::<i64>(READY).await, 2);
    // Rows that all tenants read, which came after the places.
    database
        .sabotage("INSERT INTO shared.countries VALUES ('ch', 'Switzerland')")
        .await;
    for strategy in [Strategy::Schema, Strategy::Database] {
        let ready: String = database
            .value(&format!(
                "SELECT schema_name FROM tenancy.standby WHERE strategy = '{strategy}'"
            ))
            .await;
        let slug = format!("first-{strategy}");
        let first = provisioner.provision(new(&slug, strategy)).await.unwrap();
        assert_eq!(first.locator.as_ref().unwrap().schema().as_str(), ready);
        assert_eq!(first.strategy(), Some(strategy));
        // None is left: the next one's is made at once.
        let next = format!("next-{strategy}");
        let second = provisioner.provision(new(&next, strategy)).await.unwrap();
        assert_ne!(first.locator, second.locator);
        for slug in [&slug, &next] {
            let tenant = shop.tenant(slug);
            assert_eq!(tenant.get("/todos").await.json(200), json!([]));
            let todo = json!({ "title": slug });
            tenant.post("/todos", todo).await.json(201);
            let todos = tenant.get("/todos").await.json(200);
            assert_eq!(todos.as_array().map(Vec::len), Some(1));
            let countries = tenant.get("/countries").await.json(200);
            assert_eq!(countries[0]["code"], "ch", "{slug}");
        }
    }
    assert_eq!(database.value::<i64>(READY).await, 0);
    assert!(shop.tenancy.verify().await.unwrap().is_empty());
    // What such a tenant leaves is not offered to another.
    let slug = "first-schema".parse().unwrap();
    provisioner.delete(&slug).await.unwrap();
    provisioner.destroy(&slug).await.unwrap();
    assert_eq!(places(&database).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_each_gets_a_place_of_its_own() {
    for strategy in [Strategy::Schema, Strategy::Database] {
        let database = Database::empty().await;
        let (_a, first) = serve(&database, 3).await;
        let (_b, second) = serve(&database, 3).await;
        // Both fill up at once, and not twice as much.
        let (one, other) = tokio::join!(first.refill(), second.refill());
        one.and(other).unwrap();
        assert_eq!(database.value::<i64>(READY).await, 6);
        let all = (0..8).map(|n| {
            let provisioner = [&first, &second][n % 2];
            provisioner.provision(new(&format!("t-{n}"), strategy))
        });
        let all = join_all(all).await.into_iter();
        let tenants: Vec<_> = all.collect::<Result<_>>().unwrap();
        let schemas = tenants.iter().map(|tenant| {
            let locator = tenant.locator.as_ref().unwrap();
            locator.schema().to_string()
        });
        assert_eq!(schemas.collect::<BTreeSet<_>>().len(), 8);
        assert_eq!(database.value::<i64>(READY).await, 3, "of the other kind");
        // The second shop's start has set aside what the first had ready, and drops it
        // beside this; so all is counted in one statement.
        let there = "SELECT count(*) FROM tenancy.standby s \
             JOIN (SELECT nspname AS place FROM pg_namespace UNION ALL \
                   SELECT datname FROM pg_database) p \
                 ON place = 't_' || replace(s.id::text, '-', '') \
             WHERE state = 'dropping'";
        let kept = format!("SELECT ({}) - ({there})", all_places(&database));
        assert_eq!(database.value::<i64>(&kept).await, 11);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_leaves_the_place_to_others() {
    let database = Database::empty().await;
    let (_shop, provisioner) = serve(&database, 1).await;
    for strategy in [Strategy::Schema, Strategy::Database] {
        let taken = format!("taken-{strategy}");
        provisioner.provision(new(&taken, strategy)).await.unwrap();
        provisioner.refill().await.unwrap();
        let refused = provisioner.provision(new(&taken, strategy)).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("exists already"), "{refused}");
    }
    let full = provisioner.clone().max_tenants(Some(2));
    let refused = full.provision(new("third", Strategy::Schema)).await;
    assert!(matches!(refused, Err(Error::Conflict(_))));
    assert_eq!(database.value::<i64>(READY).await, 2);
    assert_eq!(places(&database).await, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_cut_off_anywhere_is_finished_by_the_next() {
    let database = Database::empty().await;
    let (shop, provisioner) = serve(&database, 1).await;
    let mut halfway = 0;
    for polls in (0..).step_by(2) {
        let n = format!("t-{polls}");
        // Taken, replaced, and cut off in the middle of either.
        let strategy = [Strategy::Schema, Strategy::Database][polls / 2 % 2];
        let provision = provisioner.provision(new(&n, strategy));
        let entered = polled(polls / 2, provision).await;
        let refilled = polled(polls, provisioner.refill()).await;
        database.idle().await;
        let making = "SELECT count(*) FROM tenancy.standby WHERE state = 'making'";
        halfway += database.value::<i64>(making).await;
        provisioner.refill().await.unwrap();
        assert_eq!(database.value::<i64>(READY).await, 2, "after {polls}");
        let listed: i64 = database.value(LISTED).await;
        assert_eq!(places(&database).await, listed, "after {polls}");
        // Makes room for a database that is to be made.
        let other = format!("d-{polls}");
        let other = new(&other, Strategy::Database);
        provisioner.provision(other).await.unwrap();
        if entered.is_some() && refilled.is_some() && polls > 60 {
            break;
        }
    }
    assert!(halfway > 5, "{halfway} databases were half-made");
    assert!(shop.tenancy.verify().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_does_not_work_is_given_to_nobody() {
    let database = Database::empty().await;
    let (shop, provisioner) = serve(&database, 1).await;
    for (strategy, kind) in [
        (Strategy::Schema, "SCHEMA"),
        (Strategy::Database, "DATABASE"),
    ] {
        let ready =
            format!("SELECT schema_name FROM tenancy.standby WHERE strategy = '{strategy}'");
        let name: String = database.value(&ready).await;
        let lose = format!("DROP {kind} {name}");
        let lose = lose.replace("SCHEMA", "SCHEMA IF EXISTS")
            + ["", " CASCADE"][usize::from(kind == "SCHEMA")];
        database.sabotage(&lose).await;
        let slug = format!("of-{strategy}");
        let tenant = provisioner.provision(new(&slug, strategy)).await.unwrap();
        assert_ne!(tenant.locator.unwrap().schema().as_str(), name);
        shop.tenant(&slug).get("/todos").await.json(200);
    }
    let dropping = "SELECT count(*) FROM tenancy.standby WHERE state = 'dropping'";
    assert_eq!(database.value::<i64>(dropping).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_keeps_no_schema_from_being_made() {
    let database = Database::empty().await;
    let isolation = Isolation::hybrid(Strategy::Database, Strategy::Schema);
    let vars = [
        (
            "TENANCY_DATABASE_URL_TEMPLATE",
            "postgres://a:a@127.0.0.1:9/{database_name}",
        ),
        (
            "TENANCY_OWNER_DATABASE_URL_TEMPLATE",
            "postgres://o:o@127.0.0.1:9/{database_name}",
        ),
        ("TENANCY_POOL_TIMEOUT", "1"),
        ("TENANCY_POOL_SIZE", "1"),
    ];
    let shop = Served::start(shop::app(isolation), &database, &vars).await;
    let provisioner = shop.tenancy.provisioner().clone().standby(1);
    let started = Instant::now();
    for _ in 0..2 {
        let away = provisioner.refill().await;
        assert!(matches!(away, Err(Error::Unavailable(_))), "{away:?}");
    }
    assert_eq!(database.value::<i64>(READY).await, 1);
    // Nor does it hold up those who want none of its databases.
    let acme = new("acme-corp", Strategy::Schema);
    provisioner.provision(acme).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_list_gives_away_and_drops_no_tenant_s_database() {
    let database = Database::empty().await;
    let (shop, provisioner) = serve(&database, 1).await;
    let before = "CREATE TABLE public.backup AS TABLE tenancy.standby";
    database.sabotage(before).await;
    let acme = new("acme-corp", Strategy::Database);
    let acme = provisioner.provision(acme).await.unwrap();
    let todo = json!({"title": "kept"});
    shop.tenant("acme-corp")
        .post("/todos", todo)
        .await
        .json(201);
    // As from a backup, which knows nothing of the tenant.
    let restore = "DELETE FROM tenancy.tenants; DELETE FROM tenancy.standby; \
         INSERT INTO tenancy.standby TABLE public.backup";
    let kept = async || {
        let superuser = database.superuser_at(&acme).await;
        let schema = acme.locator.as_ref().unwrap().schema();
        let titles = format!("SELECT count(*) FROM {schema}.todos");
        superuser
            .query_one(&titles, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
    };
    database.sabotage(restore).await;
    let globex = new("globex", Strategy::Database);
    let globex = provisioner.provision(globex).await.unwrap();
    assert_ne!(globex.locator, acme.locator);
    assert_eq!(
        shop.tenant("globex").get("/todos").await.json(200),
        json!([])
    );
    let other = Served::start(app(), &database, &[]).await;
    until_ready(&database, 0).await;
    assert_eq!(kept().await, 1);
    drop(other);

    // The twin: without the mark it is given away.
    database.sabotage(restore).await;
    let superuser = database.superuser_at(&acme).await;
    let schema = acme.locator.as_ref().unwrap().schema();
    let unmark = format!("COMMENT ON SCHEMA {schema} IS NULL");
    superuser.batch_execute(&unmark).await.unwrap();
    let initech = new("initech", Strategy::Database);
    let initech = provisioner.provision(initech).await.unwrap();
    assert_eq!(initech.locator, acme.locator);
    let todos = shop.tenant("initech").get("/todos").await.json(200);
    assert_eq!(todos[0]["title"], "kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_that_serves_keeps_them_ready_and_drops_those_of_another_version() {
    let database = Database::empty().await;
    let vars = [("TENANCY_STANDBY", "2"), ("TENANCY_POOL_SIZE", "4")];
    let before = Served::start(app(), &database, &vars).await;
    until_ready(&database, 4).await;
    let provisioner = before.tenancy.provisioner();
    for strategy in [Strategy::Schema, Strategy::Database] {
        let slug = format!("early-{strategy}");
        provisioner.provision(new(&slug, strategy)).await.unwrap();
        until_ready(&database, 4).await;
    }
    assert_eq!(places(&database).await, 6);

    // A process of the next version, when the old one has ended.
    drop(before);
    let after = Served::start(app().model::<Note>(), &database, &vars).await;
    until_ready(&database, 4).await;
    let late = after.tenancy.provisioner();
    for strategy in [Strategy::Schema, Strategy::Database] {
        let slug = format!("late-{strategy}");
        late.provision(new(&slug, strategy)).await.unwrap();
        let (_, db) = after.tenancy.tenant(&slug.parse().unwrap()).await.unwrap();
        let mut conn = db.conn().await.unwrap();
        let notes = Note::query().load::<Note>(&mut conn).await.unwrap();
        assert!(notes.is_empty());
    }
    until_ready(&database, 4).await;
    drop(after);

    // Without, nothing stays that is no tenant's.
    let none = Served::start(app().model::<Note>(), &database, &[]).await;
    until_ready(&database, 0).await;
    assert_eq!(places(&database).await, 4);
    for slug in [
        "early-schema",
        "early-database",
        "late-schema",
        "late-database",
    ] {
        none.tenant(slug).get("/todos").await.json(200);
    }
    assert!(none.tenancy.verify().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_somebodys_is_not_dropped_whatever_the_list_says() {
    let database = Database::empty().await;
    let (shop, provisioner) = serve(&database, 0).await;
    let acme = new("acme-corp", Strategy::Schema);
    let acme = provisioner.provision(acme).await.unwrap();
    let todo = json!({"title": "kept"});
    shop.tenant("acme-corp")
        .post("/todos", todo)
        .await
        .json(201);
    let schema = acme.locator.as_ref().unwrap().schema();
    let shape = "SELECT shape FROM tenancy.standby WHERE strategy = 'schema'";
    let ahead = provisioner.clone().standby(1);
    ahead.refill().await.unwrap();
    let shape: String = database.value(shape).await;
    let list = format!(
        "INSERT INTO tenancy.standby (id, strategy, schema_name, shape, state) \
         VALUES ('{}', 'schema', '{schema}', '{shape}', 'ready')",
        acme.id
    );
    database.sabotage(&list).await;
    // Its id is the smaller one, so it would be given away first.
    let globex = new("globex", Strategy::Schema);
    let globex = ahead.provision(globex).await.unwrap();
    assert_ne!(globex.locator, acme.locator);
    // All that is nobody's is dropped, but not this.
    ahead.refill().await.unwrap();
    let other = Served::start(app(), &database, &[]).await;
    let left = "SELECT string_agg(schema_name, ' ') FROM tenancy.standby";
    let start = Instant::now();
    while database.value::<String>(left).await != schema.as_str() {
        assert!(start.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let kept = shop.tenant("acme-corp").get("/todos").await.json(200);
    assert_eq!(kept[0]["title"], "kept");
    drop(other);
    // The twin: nobody's is dropped.
    database.sabotage("DELETE FROM tenancy.tenants").await;
    let _other = Served::start(app(), &database, &[]).await;
    until_ready(&database, 0).await;
    assert_eq!(places(&database).await, 1);
}
