//! What no model stands for, and the application's role may use all the same:
//! forgotten tables, views, materialized views, functions. Each shows one tenant's row to
//! another until it is mended.

use integration::database::Database;
use integration::http::{Login, Served, start};
use serde_json::json;
use tenancy::{App, Isolation, Strategy};

use super::{app, refusal, remedy, verified};
use crate::shop;

/// The application with a todo of each tenant's, and the schema of the one that
/// has its own.
async fn served() -> (Database, Served, String) {
    let database = Database::empty().await;
    let shop = start(app(), &database, Login::Both, &[])
        .await
        .expect("a start");
    for slug in ["own", "rls"] {
        let todo = json!({"title": format!("of {slug}")});
        shop.tenant(slug).post("/todos", todo).await.json(201);
    }
    let own = "SELECT schema_name FROM tenancy.tenants WHERE slug = 'own'";
    let own = database.value(own).await;
    (database, shop, own)
}

/// What the application's role finds by `sql` while it works for a tenant with
/// no row of its own.
async fn seen(database: &Database, sql: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    let plain = database.raw().await;
    let scope = "BEGIN; SELECT set_config('tenancy.tenant_id', gen_random_uuid()::text, true)";
    plain.batch_execute(scope).await?;
    let rows = plain.query(sql, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

fn on(sql: &str, database: &Database, own: &str) -> String {
    sql.replace("{app}", database.app_role())
        .replace("{own}", own)
}

/// What is made, what is said of it, and what it shows to another tenant.
const LEAKS: &[(&str, &str, &str)] = &[
    (
        "CREATE TABLE public.notes AS SELECT title FROM shared.todos; \
         GRANT SELECT ON public.notes TO {app}",
        "the table \"public\".\"notes\": is no model's",
        "SELECT title FROM public.notes",
    ),
    (
        "CREATE TABLE shared.notes AS SELECT title FROM shared.todos; \
         GRANT SELECT (title) ON shared.notes TO {app}",
        "the table \"shared\".\"notes\": is no model's",
        "SELECT title FROM shared.notes",
    ),
    (
        "CREATE SCHEMA other; GRANT USAGE ON SCHEMA other TO PUBLIC; \
         CREATE TABLE other.notes (title text) PARTITION BY LIST (title); \
         CREATE TABLE other.part PARTITION OF other.notes DEFAULT; \
         INSERT INTO other.notes SELECT title FROM shared.todos; \
         GRANT SELECT ON other.part TO PUBLIC",
        "the table \"other\".\"part\": is no model's",
        "SELECT title FROM other.part",
    ),
    (
        "CREATE VIEW shared.every AS SELECT title FROM shared.todos; \
         GRANT SELECT ON shared.every TO {app}",
        "the view \"shared\".\"every\": reads shared.todos with the rights of its owner",
        "SELECT title FROM shared.every",
    ),
    (
        "CREATE VIEW public.inside AS SELECT title FROM shared.todos; \
         CREATE VIEW public.outside AS SELECT title FROM public.inside; \
         GRANT SELECT ON public.outside TO {app}",
        "the view \"public\".\"outside\": reads shared.todos with the rights of its owner",
        "SELECT title FROM public.outside",
    ),
    (
        "CREATE VIEW public.theirs WITH (security_invoker) AS SELECT title FROM {own}.todos; \
         GRANT SELECT ON public.theirs TO {app}",
        "the view \"public\".\"theirs\": reads {own}.todos, which is a tenant's own",
        "SELECT replace(title, 'own', 'rls') FROM public.theirs",
    ),
    (
        "CREATE MATERIALIZED VIEW shared.titles AS SELECT title FROM shared.todos; \
         GRANT SELECT ON shared.titles TO {app}",
        "the materialized view \"shared\".\"titles\": keeps rows of shared.todos",
        "SELECT title FROM shared.titles",
    ),
    (
        "CREATE MATERIALIZED VIEW public.titles AS SELECT title FROM shared.todos; \
         CREATE VIEW public.window AS SELECT title FROM public.titles; \
         GRANT SELECT ON public.window TO {app}",
        "the view \"public\".\"window\": reads shared.todos with the rights of its owner",
        "SELECT title FROM public.window",
    ),
    (
        "CREATE FUNCTION public.peek(text) RETURNS SETOF text LANGUAGE sql SECURITY DEFINER \
         SET search_path = '' AS 'SELECT title FROM shared.todos WHERE title LIKE $1'",
        "the function public.peek(text): runs with the rights of its owner",
        "SELECT public.peek('%')",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_shows_another_tenant_s_rows_is_named_and_mended_by_the_remedy() {
    let (database, shop, own) = served().await;
    for (make, said, query) in LEAKS {
        database.sabotage(&on(make, &database, &own)).await;
        // The twin: so it would be without the proof.
        assert_eq!(seen(&database, query).await.unwrap(), ["of rls"], "{make}");

        let problems = verified(&shop).await;
        assert_eq!(problems.len(), 1, "{make}: {problems:#?}");
        let said = on(said, &database, &own);
        assert!(problems[0].starts_with(&said), "{problems:?}");
        assert_eq!(refusal(&database, Login::App).await, problems);

        database.sabotage(remedy(&problems[0])).await;
        assert!(verified(&shop).await.is_empty(), "{make}");
        let shown = seen(&database, query).await.unwrap_or_default();
        assert!(shown.is_empty(), "{make}: {shown:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_table_is_named() {
    let (database, shop, _) = served().await;
    let far = "CREATE FOREIGN DATA WRAPPER nothing; \
         CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing; \
         CREATE FOREIGN TABLE shared.far (title text) SERVER nowhere; \
         GRANT SELECT ON shared.far TO {app}";
    database.sabotage(&on(far, &database, "")).await;
    let problems = verified(&shop).await;
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].starts_with("the foreign table \"shared\".\"far\""));
    database.sabotage(remedy(&problems[0])).await;
    assert!(verified(&shop).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_has_a_tenant_id_is_held_to_what_models_are() {
    let (database, shop, _) = served().await;
    let forgotten = "CREATE TABLE shared.notes (tenant_id uuid NOT NULL, title text PRIMARY KEY); \
         INSERT INTO shared.notes SELECT tenant_id, title FROM shared.todos; \
         GRANT SELECT, TRUNCATE ON shared.notes TO {app}";
    database.sabotage(&on(forgotten, &database, "")).await;
    let notes = "SELECT title FROM shared.notes";
    assert_eq!(seen(&database, notes).await.unwrap(), ["of rls"]);

    let problems = verified(&shop).await;
    for said in [
        "is not under row-level security",
        "does not hold its owner",
        "has no key `tenancy_tenants_fkey`",
        "no policy `tenancy_access`",
        "no policy `tenancy_isolation`",
        "`shared.notes_pkey`, which does not lead with tenant_id",
        "more than it should: TRUNCATE",
    ] {
        let named = problems.iter().filter(|line| line.contains(said));
        assert_eq!(named.count(), 1, "{said}: {problems:#?}");
    }
    assert_eq!(problems.len(), 7, "{problems:#?}");
    for problem in &problems {
        database.sabotage(remedy(problem)).await;
    }
    let key = "ALTER TABLE shared.notes DROP CONSTRAINT notes_pkey, \
         ADD PRIMARY KEY (tenant_id, title)";
    database.sabotage(key).await;
    assert!(verified(&shop).await.is_empty());
    assert!(seen(&database, notes).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_used_or_shows_nobody_s_rows_is_no_trouble() {
    let (database, shop, own) = served().await;
    for harmless in [
        "CREATE TABLE public.notes (title text)",
        "CREATE SCHEMA closed; CREATE TABLE closed.notes (title text); \
         GRANT ALL ON closed.notes TO PUBLIC",
        "CREATE MATERIALIZED VIEW shared.titles AS SELECT title FROM shared.todos",
        "CREATE VIEW shared.names AS SELECT name FROM shared.countries; \
         GRANT SELECT ON shared.names TO {app}",
        "CREATE VIEW shared.mine WITH (security_invoker = on) AS SELECT title FROM shared.todos; \
         GRANT SELECT ON shared.mine TO {app}",
        "CREATE VIEW public.tables AS SELECT relname FROM pg_class; \
         GRANT SELECT ON public.tables TO {app}",
        "CREATE FUNCTION public.seen() RETURNS SETOF text LANGUAGE sql \
         AS 'SELECT title FROM shared.todos'",
        "CREATE FUNCTION public.noted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
         AS 'BEGIN RETURN NEW; END'",
        // Whatever is there is one tenant's.
        "CREATE TABLE {own}.notes (title text); GRANT ALL ON {own}.notes TO {app}; \
         CREATE VIEW {own}.open AS SELECT title FROM {own}.todos, shared.countries; \
         GRANT SELECT ON {own}.open TO {app}",
        // An extension answers for what it brings.
        "CREATE TABLE public.systems (id int); ALTER EXTENSION plpgsql ADD TABLE public.systems; \
         GRANT SELECT ON public.systems TO PUBLIC",
    ] {
        database.sabotage(&on(harmless, &database, &own)).await;
        assert_eq!(verified(&shop).await, [""; 0], "{harmless}");
    }
    // The twin: the last one, when it belongs to no extension.
    let left = "ALTER EXTENSION plpgsql DROP TABLE public.systems";
    database.sabotage(left).await;
    assert_eq!(verified(&shop).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_exempt_for_a_reason_is_served_and_nothing_beside_it() {
    let (database, shop, _) = served().await;
    drop(shop);
    let several = "CREATE TABLE public.rates (name text); GRANT SELECT ON public.rates TO {app}; \
         CREATE VIEW public.every AS SELECT title FROM shared.todos, public.rates; \
         GRANT SELECT ON public.every TO {app}; \
         CREATE TABLE public.rates_too (name text); GRANT SELECT ON public.rates_too TO {app}";
    database.sabotage(&on(several, &database, "")).await;
    let reason = "published daily, and no tenant's";
    let exempt = |app: App, names: &[&str]| {
        let exempt = |app: App, name: &&str| app.exempt(name, reason);
        names.iter().fold(app, exempt)
    };
    let all = ["public.rates", "public.every", "public.rates_too"];
    for left_out in 0..all.len() {
        let mut names = all.to_vec();
        let name = names.remove(left_out);
        let started = start(exempt(app(), &names), &database, Login::App, &[]).await;
        let refused = started.err().expect("a refusal").to_string();
        assert_eq!(refused.matches("\n  - ").count(), 1, "{refused}");
        let remedy = format!("exempt it with `App::exempt(\"{name}\", \"why\")`");
        assert!(refused.contains(&remedy), "{refused}");
    }
    let known = exempt(app(), &all);
    drop(
        start(known, &database, Login::App, &[])
            .await
            .expect("known"),
    );
    // A function that is meant finds its names by itself all the same.
    let open = "CREATE FUNCTION public.total() RETURNS bigint LANGUAGE sql SECURITY DEFINER \
         AS 'SELECT count(*) FROM shared.todos'";
    database.sabotage(open).await;
    let all = || exempt(app(), &[all.as_slice(), &["public.total"]].concat());
    let started = start(all(), &database, Login::App, &[]).await;
    let refused = started.err().expect("a refusal").to_string();
    assert_eq!(refused.matches("\n  - ").count(), 1, "{refused}");
    let (_, mend) = refused.split_once("run: ").expect("a remedy");
    database.sabotage(mend).await;
    drop(
        start(all(), &database, Login::App, &[])
            .await
            .expect("known"),
    );

    let nameless = app().exempt("rates", reason).exempt("public.rates", "");
    let refused = start(nameless, &database, Login::App, &[]).await;
    let refused = refused.err().expect("a refusal").to_string();
    assert!(refused.contains("has no reason"), "{refused}");
    assert!(refused.contains("does not name a schema"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_s_own_database_is_looked_through_before_it_is_used() {
    let database = Database::empty().await;
    let own = shop::app(Isolation::single(Strategy::Database)).seed("own");
    let shop = Served::start(own, &database, &[]).await;
    let (tenant, _) = shop.tenancy.tenant(&"own".parse().unwrap()).await.unwrap();
    let superuser = database.superuser_at(tenant.record()).await;
    let forgotten = "CREATE TABLE public.notes (title text); GRANT SELECT ON public.notes TO {app}";
    let forgotten = on(forgotten, &database, "");
    superuser.batch_execute(&forgotten).await.unwrap();
    assert_eq!(
        shop.tenant("own").get("/todos").await.problem(500),
        "internal"
    );
    let problems = verified(&shop).await;
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].contains("\"public\".\"notes\": is no model's"));
    superuser.batch_execute(remedy(&problems[0])).await.unwrap();
    shop.tenant("own").get("/todos").await.json(200);
}
