//! What protects a table that a migration made: the same as a generated one has,
//! refused by name where it cannot be had, and missed when it is taken away.

use integration::database::Database;
use integration::http::Served;
use serde_json::json;
use tenancy::Isolation;
use tenancy::Strategy;
use tenancy::prelude::*;
use tenancy::provision::Migration;

use super::{FOLDER, app, bare, refusal, step, verified};
use crate::shop;

/// All that the catalog knows of the shared tables, but for the order of their
/// columns. `{owner}` and `{app}` are the roles.
const CATALOG: &str = "
    SELECT string_agg(fact, E'\\n' ORDER BY fact) FROM (
        SELECT concat_ws(' ', 'column', c.relname, a.attname,
            format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
            pg_get_expr(d.adbin, d.adrelid)) AS fact
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'shared'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
        UNION ALL SELECT concat_ws(' ', 'table', relname, relrowsecurity, relforcerowsecurity,
            replace(replace(relacl::text, '{owner}', 'owner'), '{app}', 'app'))
        FROM pg_class WHERE relnamespace = 'shared'::regnamespace AND relkind = 'r'
        UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname,
            pg_get_constraintdef(oid))
        FROM pg_constraint WHERE connamespace = 'shared'::regnamespace AND contype <> 'n'
        UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'shared'
        UNION ALL SELECT concat_ws(' ', 'policy', tablename, policyname, permissive, roles, cmd,
            qual, with_check)
        FROM pg_policies WHERE schemaname = 'shared'
    ) AS facts
    WHERE fact !~ 'tenancy_migrations'";

/// The tables of the models `Project` and `Todo`, as one would write them.
static SHOP: &[Migration] = &[step(
    "1",
    r#"CREATE TABLE "tenant".projects (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        name text NOT NULL UNIQUE
    );
    CREATE TABLE "tenant".todos (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        title text NOT NULL UNIQUE,
        done boolean NOT NULL DEFAULT false,
        project_id uuid REFERENCES "tenant".projects
    );"#,
)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migrated_table_is_what_a_generated_one_is() {
    let rls = || Isolation::single(Strategy::Rls);
    let generated = App::new("shop", "1.0.0")
        .membership(tenancy::admit::Gateway)
        .isolation(rls())
        .model::<shop::Country>()
        .model::<shop::Project>()
        .model::<shop::Todo>();
    let mut catalogs = Vec::new();
    for app in [generated, bare(rls(), SHOP)] {
        let database = Database::empty().await;
        let served = Served::start(app, &database, &[]).await;
        let catalog = CATALOG
            .replace("{owner}", database.owner_role())
            .replace("{app}", database.app_role());
        catalogs.push(database.value::<String>(&catalog).await);
        // The generated models accept it as theirs.
        if catalogs.len() == 2 {
            drop(served);
            let models = shop::app(rls());
            let served = Served::start(models, &database, &[]).await;
            assert_eq!(verified(&served).await, Vec::<String>::new());
        }
    }
    assert!(catalogs[0].lines().count() > 15, "{}", catalogs[0]);
    assert_eq!(catalogs[0], catalogs[1]);
}

/// Every kind of key; the last one is added to a table that has rows by then.
static KEYS: &[Migration] = &[
    step(
        "1",
        r#"CREATE TABLE "tenant".a (x int PRIMARY KEY, y int, z int, w int,
            UNIQUE NULLS NOT DISTINCT (y, z) INCLUDE (w) DEFERRABLE, CHECK (x > 0));
        CREATE INDEX a_hash ON "tenant".a USING hash (w);
        CREATE INDEX "a odd" ON "tenant".a (w DESC NULLS LAST) WHERE w > 0;
        CREATE TABLE "tenant".c (k int, l int, CONSTRAINT own_name UNIQUE (k, l));"#,
    ),
    step(
        "2",
        r#"CREATE TABLE "tenant".b (
            one int REFERENCES "tenant".a ON DELETE SET NULL ON UPDATE CASCADE,
            two int DEFAULT 1 REFERENCES "tenant".a (x) ON DELETE SET DEFAULT
                DEFERRABLE INITIALLY DEFERRED,
            three int, four int,
            FOREIGN KEY (three, four) REFERENCES "tenant".c (k, l) ON DELETE SET NULL (four));"#,
    ),
    step(
        "3",
        r#"ALTER TABLE "tenant".b ADD COLUMN five text UNIQUE;
        ALTER TABLE "tenant".b ADD CONSTRAINT late FOREIGN KEY (three)
            REFERENCES "tenant".a (x) NOT VALID;"#,
    ),
];

const KEYS_MADE: &[&str] = &[
    "a a_pkey PRIMARY KEY (tenant_id, x)",
    "a a_x_check CHECK ((x > 0))",
    "a a_y_z_w_key UNIQUE NULLS NOT DISTINCT (tenant_id, y, z) INCLUDE (w) DEFERRABLE",
    "index CREATE INDEX a_hash ON shared.a USING hash (w)",
    "index CREATE INDEX \"a odd\" ON shared.a USING btree (tenant_id, w DESC NULLS LAST) WHERE (w > 0)",
    "c own_name UNIQUE (tenant_id, k, l)",
    "b b_one_fkey FOREIGN KEY (tenant_id, one) REFERENCES shared.a(tenant_id, x) \
     ON UPDATE CASCADE ON DELETE SET NULL (one)",
    "b b_two_fkey FOREIGN KEY (tenant_id, two) REFERENCES shared.a(tenant_id, x) \
     ON DELETE SET DEFAULT (two) DEFERRABLE INITIALLY DEFERRED",
    "b b_three_four_fkey FOREIGN KEY (tenant_id, three, four) \
     REFERENCES shared.c(tenant_id, k, l) ON DELETE SET NULL (four)",
    "b b_five_key UNIQUE (tenant_id, five)",
    "b late FOREIGN KEY (tenant_id, three) REFERENCES shared.a(tenant_id, x)",
];

/// A row of `b` that refers to `three`, and the tenant's own row of `a`.
async fn rows(database: &Database, tenant: &str, own: i32, three: i32) {
    let rows = format!(
        "INSERT INTO shared.a (tenant_id, x) SELECT id, {own} FROM tenancy.tenants \
             WHERE slug = '{tenant}'; \
         INSERT INTO shared.b (tenant_id, two, three) SELECT id, NULL, {three} FROM tenancy.tenants \
             WHERE slug = '{tenant}'"
    );
    database.sabotage(&rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_key_leads_with_the_tenant_and_keeps_the_rest() {
    let database = Database::empty().await;
    let of = |migrations: &'static [Migration]| {
        let app = bare(Isolation::single(Strategy::Rls), migrations);
        app.seed("acme-corp").seed("globex")
    };
    drop(Served::start(of(&KEYS[..2]), &database, &[]).await);
    rows(&database, "acme-corp", 7, 7).await;
    // What one tenant has is not there for another.
    rows(&database, "globex", 8, 7).await;
    let problems = refusal(of(KEYS), &database).await;
    assert_eq!(problems.len(), 1, "{problems:#?}");
    for word in [
        "the shared tables",
        "`3_step`",
        "\"late\"",
        "is not present",
    ] {
        assert!(problems[0].contains(word), "{word}: {problems:?}");
    }
    database
        .sabotage("UPDATE shared.a SET x = 7 WHERE x = 8")
        .await;

    drop(Served::start(of(KEYS), &database, &[]).await);
    let catalog: String = database.value(CATALOG).await;
    for made in KEYS_MADE {
        let mut lines = catalog.lines();
        let line = lines.find(|line| line.trim_start_matches("constraint shared.") == *made);
        assert!(line.is_some(), "{made} is not in:\n{catalog}");
    }
    let forced = "SELECT count(*) FROM pg_class WHERE relnamespace = 'shared'::regnamespace \
         AND relforcerowsecurity";
    assert_eq!(database.value::<i64>(forced).await, 3);
    let stand_ins = "SELECT to_regnamespace('tenancy_stand_ins') IS NULL";
    assert!(database.value::<bool>(stand_ins).await);
}

/// What cannot be shared or would not be whole, and what is said of it.
const REFUSED: &[(&str, &str)] = &[
    ("CREATE TABLE a (id int)", "no schema has been selected"),
    (
        r#"CREATE TABLE "tenant".a (id int PRIMARY KEY, tenant_id uuid NOT NULL)"#,
        "has a column `tenant_id` of its own",
    ),
    (
        r#"CREATE TABLE "tenant".a (id int PRIMARY KEY); INSERT INTO "tenant".a VALUES (1)"#,
        "has rows that belong to no tenant",
    ),
    (
        r#"CREATE TABLE "tenant".a (id int, EXCLUDE USING gist (int4range(id, id) WITH &&))"#,
        "the key `a_int4range_excl` of shared.a cannot lead with tenant_id",
    ),
    (
        r#"CREATE TABLE "tenant".a (id int) PARTITION BY RANGE (id)"#,
        "has partitions or inherits",
    ),
    (
        r#"CREATE TABLE "tenant".a (id int PRIMARY KEY,
            up int REFERENCES "tenant".a ON UPDATE SET NULL)"#,
        "the foreign key `a_up_fkey` of shared.a cannot lead with tenant_id",
    ),
    (
        r#"CREATE TABLE "tenant".a (b int, c int, d int, e int, UNIQUE (b, c),
            FOREIGN KEY (d, e) REFERENCES "tenant".a (b, c) MATCH FULL)"#,
        "do without ON UPDATE SET, MATCH FULL",
    ),
    (
        r#"CREATE TABLE "tenant".a (id int); SELECT tenancy.protect('b')"#,
        "there is no table `b` to protect",
    ),
    // It would do nothing, and say so to nobody.
    (
        r#"UPDATE "tenant".lists SET name = 'x'"#,
        "query would be affected by row-level security",
    ),
    (
        r#"CREATE TABLE "tenant".a (id int); COMMIT; CREATE TABLE "tenant".b (id int)"#,
        "EXECUTE of transaction commands",
    ),
    (
        r#"CREATE INDEX CONCURRENTLY ON "tenant".lists (name)"#,
        "CREATE INDEX CONCURRENTLY cannot",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_shared_is_refused_by_name_and_undone() {
    let database = Database::empty().await;
    let rls = || Isolation::single(Strategy::Rls);
    drop(Served::start(bare(rls(), FOLDER), &database, &[]).await);
    let before: String = database.value(CATALOG).await;
    for (sql, said) in REFUSED {
        let bad = [FOLDER, &[step("20270101000000", sql)]].concat();
        let problems = refusal(bare(rls(), bad.leak()), &database).await;
        assert_eq!(problems.len(), 1, "{sql}: {problems:#?}");
        for word in ["the shared tables", "`20270101000000_step`", said] {
            assert!(problems[0].contains(word), "{word}: {problems:?}");
        }
        assert_eq!(database.value::<String>(CATALOG).await, before, "{sql}");
    }
    drop(Served::start(bare(rls(), FOLDER), &database, &[]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_protection_a_table_shows_what_is_another_s_and_is_named() {
    let database = Database::empty().await;
    let tasks = || {
        let app = app(Isolation::single(Strategy::Rls), FOLDER);
        app.seed("acme-corp").seed("globex")
    };
    let served = Served::start(tasks(), &database, &[]).await;
    let (a, b) = (served.tenant("acme-corp"), served.tenant("globex"));
    a.post("/tasks", json!({"title": "secret"})).await.json(201);
    assert_eq!(b.get("/tasks").await.json(200), json!([]));

    let drop_policy = "DROP POLICY tenancy_isolation ON shared.tasks";
    database.sabotage(drop_policy).await;
    assert_eq!(b.get("/tasks").await.json(200)[0]["title"], "secret");
    let problems = verified(&served).await;
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let (_, mend) = problems[0].split_once("run: ").expect("a remedy");
    database.sabotage(mend).await;
    assert_eq!(b.get("/tasks").await.json(200), json!([]));

    // The key that an upsert names.
    let rename = "ALTER TABLE shared.lists RENAME CONSTRAINT lists_name_key TO other";
    database.sabotage(rename).await;
    let problems = verified(&served).await;
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].contains("\"lists_name_key\" UNIQUE (\"tenant_id\", \"name\")"));
    database
        .sabotage("ALTER TABLE shared.lists RENAME CONSTRAINT other TO lists_name_key")
        .await;
    assert_eq!(verified(&served).await, Vec::<String>::new());
}

/// The twin of all: who takes the protection away is found out before service.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unprotected_table_is_not_served() {
    let database = Database::empty().await;
    let rls = || Isolation::single(Strategy::Rls);
    drop(Served::start(bare(rls(), &FOLDER[..0]), &database, &[]).await);
    // Nobody but the owner makes tables in a place; here it does so by hand.
    let by_hand = FOLDER
        .iter()
        .map(|migration| migration.sql.replace("\"tenant\"", "shared"));
    for sql in by_hand {
        database.owner.batch_execute(&sql).await.unwrap();
    }
    let app_role = database.raw().await;
    let denied = app_role.batch_execute("SELECT FROM shared.tasks").await;
    let denied = denied.expect_err("nothing is granted");
    assert_eq!(
        denied.code().map(tokio_postgres::error::SqlState::code),
        Some("42501")
    );

    let grant = format!(
        "GRANT ALL ON ALL TABLES IN SCHEMA shared TO {0}; \
         REVOKE ALL ON shared.countries FROM {0}; GRANT SELECT ON shared.countries TO {0}",
        database.app_role()
    );
    database.sabotage(&grant).await;
    let models = bare(rls(), FOLDER)
        .model::<super::List>()
        .model::<super::Task>();
    let problems = refusal(models, &database).await.join("\n");
    for missing in [
        "has no policy `tenancy_isolation`",
        "is not under row-level security",
        "\"shared\".\"tasks\".\"tenant_id\": is missing",
        "`shared.tasks_pkey`, which does not lead with tenant_id",
        "more than it should",
    ] {
        assert!(
            problems.contains(missing),
            "{missing} is not in:\n{problems}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_and_ledgers_are_the_owner_s_alone() {
    let database = Database::empty().await;
    let tasks = app(Isolation::single(Strategy::Rls), FOLDER);
    let served = Served::start(tasks, &database, &[]).await;
    let app_role = database.raw().await;
    for forbidden in [
        "SELECT tenancy.protect('tasks')",
        "SELECT tenancy.migrate('SELECT 1', '{}')",
        "SELECT tenancy.stand_in('{}')",
        "TABLE shared.tenancy_migrations",
        "DELETE FROM shared.tenancy_migrations",
    ] {
        let denied = app_role.batch_execute(forbidden).await;
        let denied = denied.expect_err(forbidden);
        assert_eq!(
            denied.code().map(tokio_postgres::error::SqlState::code),
            Some("42501"),
            "{forbidden}"
        );
    }
    // The twin: with the right it could, but for the place, which it is not told.
    let grant = format!(
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA tenancy TO {0}; \
         GRANT SELECT ON shared.tenancy_migrations TO {0}",
        database.app_role()
    );
    database.sabotage(&grant).await;
    app_role
        .batch_execute("TABLE shared.tenancy_migrations")
        .await
        .unwrap();
    let problems = verified(&served).await;
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].starts_with("the table \"shared\".\"tenancy_migrations\": is not for"));
    for client in [&app_role, &database.owner] {
        let denied = client
            .batch_execute("SELECT tenancy.protect('tasks')")
            .await;
        let denied = denied.expect_err("no place");
        let said = denied
            .as_db_error()
            .map(tokio_postgres::error::DbError::message);
        let expected =
            "tenancy.protect works in a migration only: nothing says which place this is";
        assert_eq!(said, Some(expected));
    }
}
