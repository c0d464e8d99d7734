//! Runs over many places: what fails, is cut off or done twice leaves every
//! place in step with its ledger.

use std::time::Duration;

use futures_util::future::join_all;
use integration::database::Database;
use integration::http::{Login, Served, start};
use tenancy::prelude::*;
use tenancy::provision::Migration;
use tenancy::{Isolation, Strategy};

use super::{bare, ledger, refusal, schema_of, step, verified};

const SLUGS: [&str; 3] = ["acme-corp", "globex", "initech"];

static STEPS: &[Migration] = &[
    step(
        "1",
        r#"CREATE TABLE "tenant".notes (id int PRIMARY KEY, text text)"#,
    ),
    step(
        "2",
        r#"CREATE TABLE "tenant".tags (name text REFERENCES "tenant".marks); "#,
    ),
    step("3", r#"ALTER TABLE "tenant".notes ADD UNIQUE (text)"#),
    step("4", r#"CREATE TABLE "tenant".last (id int)"#),
];

/// As many tables as the ledger has entries.
static TABLES: &[Migration] = &[
    step("1", r#"CREATE TABLE "tenant".t1 (id int PRIMARY KEY)"#),
    step(
        "2",
        r#"CREATE TABLE "tenant".t2 (id int PRIMARY KEY, up int REFERENCES "tenant".t1)"#,
    ),
    step(
        "3",
        r#"CREATE TABLE "tenant".t3 (id int UNIQUE, up int REFERENCES "tenant".t2)"#,
    ),
    step(
        "4",
        r#"CREATE TABLE "tenant".t4 (id int PRIMARY KEY, up int REFERENCES "tenant".t1)"#,
    ),
    step(
        "5",
        r#"CREATE TABLE "tenant".t5 (id int PRIMARY KEY, up int REFERENCES "tenant".t4)"#,
    ),
];

fn schema(migrations: &'static [Migration]) -> App {
    bare(Isolation::single(Strategy::Schema), migrations)
}

/// One tenant apart and two together.
fn hybrid(migrations: &'static [Migration]) -> App {
    let isolation = Isolation::hybrid(Strategy::Schema, Strategy::Rls);
    let app = bare(isolation.premium_tenants(["acme-corp"]), migrations);
    SLUGS.iter().fold(app, |app, slug| app.seed(slug))
}

async fn ledgers(database: &Database) -> Vec<String> {
    let mut ledgers = Vec::new();
    for slug in SLUGS {
        let schema = schema_of(database, slug).await;
        ledgers.push(ledger(database, &schema).await);
    }
    ledgers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_where_one_fails_stops_no_other_and_goes_on_from_there() {
    let database = Database::empty().await;
    // Without the second, which would fail for everybody.
    let good: &'static [Migration] = [STEPS[0], STEPS[2], STEPS[3]].to_vec().leak();
    let seeded = SLUGS
        .iter()
        .fold(schema(&good[..1]), |app, slug| app.seed(slug));
    drop(Served::start(seeded, &database, &[]).await);
    let globex = schema_of(&database, "globex").await;
    let twice = format!("INSERT INTO {globex}.notes VALUES (1, 'same'), (2, 'same')");
    database.sabotage(&twice).await;

    for _ in 0..2 {
        let problems = refusal(schema(good), &database).await;
        assert_eq!(problems.len(), 1, "{problems:#?}");
        for word in [
            "the tenant `globex`",
            "`3_step` failed",
            "(text)=(same)",
            "`migrate`",
        ] {
            assert!(problems[0].contains(word), "{word}: {problems:?}");
        }
        assert_eq!(ledgers(&database).await, ["1 3 4", "1", "1 3 4"]);
    }
    // Rolled back as a whole, and with nothing of what comes after it.
    let there = format!("SELECT to_regclass('{globex}.last') IS NULL");
    assert!(database.value::<bool>(&there).await);

    database
        .sabotage(&format!("DELETE FROM {globex}.notes"))
        .await;
    let served = Served::start(schema(good), &database, &[]).await;
    assert_eq!(ledgers(&database).await, ["1 3 4"; 3]);
    assert_eq!(verified(&served).await, Vec::<String>::new());

    // What fails for all is named for all.
    let problems = refusal(schema(STEPS), &database).await;
    assert_eq!(problems.len(), 3, "{problems:#?}");
    for (problem, slug) in problems.iter().zip(SLUGS) {
        let start = format!("the tenant `{slug}`: the migration `2_step` failed");
        assert!(problem.starts_with(&start), "{problems:?}");
    }
    // A new tenant comes into being with all of them or not at all.
    let new = NewTenant::new("umbrella").unwrap();
    served.tenancy.provisioner().provision(new).await.unwrap();
    let umbrella = schema_of(&database, "umbrella").await;
    assert_eq!(ledger(&database, &umbrella).await, "1 3 4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_fails_leaves_no_new_tenant_behind() {
    let database = Database::empty().await;
    let served = Served::start(schema(STEPS), &database, &[]).await;
    let provisioner = served.tenancy.provisioner();
    for _ in 0..2 {
        let new = NewTenant::new("acme-corp").unwrap();
        let error = provisioner.provision(new).await.unwrap_err().to_string();
        assert!(error.contains("`2_step` failed"), "{error}");
        assert!(error.contains(".marks\" does not exist"), "{error}");
    }
    let left = "SELECT (SELECT count(*) FROM tenancy.tenants) \
         + (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 't\\_%')";
    assert_eq!(database.value::<i64>(left).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_tenant_is_migrated_alone() {
    let database = Database::empty().await;
    let seeded = SLUGS
        .iter()
        .fold(schema(TABLES), |app, slug| app.seed(slug));
    let served = Served::start(seeded, &database, &[]).await;
    for slug in ["acme-corp", "globex"] {
        let schema = schema_of(&database, slug).await;
        let undo = format!(
            "DROP TABLE {schema}.t5; DELETE FROM {schema}.tenancy_migrations WHERE version = '5'"
        );
        database.sabotage(&undo).await;
    }
    let globex = "globex".parse().unwrap();
    served.tenancy.migrate_tenant(&globex).await.unwrap();
    assert_eq!(
        ledgers(&database).await,
        ["1 2 3 4", "1 2 3 4 5", "1 2 3 4 5"]
    );
    served.tenancy.migrate().await.unwrap();
    assert_eq!(ledgers(&database).await, ["1 2 3 4 5"; 3]);
    let nobody = "nobody-here".parse().unwrap();
    let error = served.tenancy.migrate_tenant(&nobody).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`nobody-here`: is not registered"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_has_changed_and_a_ledger_that_is_ahead_are_named() {
    let database = Database::empty().await;
    drop(Served::start(hybrid(&TABLES[..3]), &database, &[]).await);
    let changed = step("2", r#"CREATE TABLE "tenant".t2 (id bigint PRIMARY KEY)"#);
    let changed = [TABLES[0], changed, TABLES[2], TABLES[3]].to_vec().leak();
    let problems = refusal(hybrid(changed), &database).await;
    // The shared tables, which two tenants have together, and one tenant's own.
    assert_eq!(problems.len(), 2, "{problems:#?}");
    for problem in &problems {
        let said = "the text of the migration `2_step` has changed";
        assert!(problem.contains(said), "{problems:?}");
    }
    // Nothing runs where that is so, neither.
    let ahead = refusal(hybrid(&TABLES[..2]), &database).await;
    assert_eq!(ahead.len(), 2, "{ahead:#?}");
    for problem in &ahead {
        let said = "the migration `3_step` has run here and this application has none of that \
             version: a newer one";
        assert!(problem.contains(said), "{ahead:?}");
    }
    // One that came in between runs, and nothing else does.
    let between = step("1001", r#"CREATE TABLE "tenant".t6 (id int)"#);
    let between = [TABLES[0], TABLES[1], TABLES[2], between].to_vec().leak();
    drop(Served::start(hybrid(between), &database, &[]).await);
    assert_eq!(ledgers(&database).await, ["1 1001 2 3"; 3]);
}

/// The schemas of places that are not in step: the numbers of entries and of
/// tables differ, or a key of the shared one does not lead with the tenant.
async fn out_of_step(database: &Database) -> Vec<String> {
    let places = "SELECT nspname::text FROM pg_namespace n WHERE nspname ~ '^(t_|shared$)' \
         AND EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid \
             AND relname = 'tenancy_migrations')";
    let places = database.superuser.query(places, &[]).await.expect("places");
    let mut out = Vec::new();
    for place in places {
        let place: String = place.get(0);
        let in_step = format!(
            "SELECT (SELECT count(*) FROM {place}.tenancy_migrations) = count(*) \
                 AND ('{place}' <> 'shared' OR bool_and(relforcerowsecurity) IS NOT FALSE) \
             FROM pg_class WHERE relnamespace = '{place}'::regnamespace \
                 AND relname ~ '^t[0-9]$'"
        );
        if !database.value::<bool>(&in_step).await {
            out.push(place);
        }
    }
    out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_cut_off_leaves_every_place_in_step() {
    let database = Database::empty().await;
    let mut cut_off = 0;
    let mut delay = Duration::ZERO;
    loop {
        let start = start(hybrid(TABLES), &database, Login::Both, &[]);
        let ended = tokio::time::timeout(delay, start).await.is_ok();
        assert_eq!(
            out_of_step(&database).await,
            Vec::<String>::new(),
            "{delay:?}"
        );
        if ended {
            break;
        }
        cut_off += 1;
        delay += Duration::from_millis(3);
    }
    assert!(cut_off > 5, "{cut_off}");
    assert_eq!(ledgers(&database).await, ["1 2 3 4 5"; 3]);
    // The twin: a table without its entry is seen.
    database
        .sabotage("DELETE FROM shared.tenancy_migrations WHERE version = '5'")
        .await;
    assert_eq!(out_of_step(&database).await, ["shared"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_migrate_at_once_share_the_work() {
    let database = Database::empty().await;
    drop(Served::start(hybrid(&TABLES[..1]), &database, &[]).await);
    let starts = (0..4).map(|_| Served::start(hybrid(TABLES), &database, &[]));
    for served in join_all(starts).await {
        assert_eq!(verified(&served).await, Vec::<String>::new());
    }
    assert_eq!(ledgers(&database).await, ["1 2 3 4 5"; 3]);
    assert_eq!(out_of_step(&database).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_together_is_named_before_anything_runs() {
    let database = Database::empty().await;
    let falling = [TABLES[1], TABLES[0]].to_vec().leak();
    let problems = refusal(schema(falling), &database).await;
    assert!(
        problems[0].contains("`1_step`: stands behind `2_step`"),
        "{problems:?}"
    );
    let none = schema(&[]).model::<super::List>();
    let problems = refusal(none, &database).await;
    assert!(problems[0].contains("has no migrations"), "{problems:?}");
    let nowhere = App::new("tasks", "1.0.0").migrations(TABLES);
    let problems = refusal(nowhere, &database).await;
    assert!(problems[0].contains("need a database"), "{problems:?}");
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname IN ('tenancy', 'shared')";
    assert_eq!(database.value::<i64>(schemas).await, 0);
}
