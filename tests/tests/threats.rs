//! Breaks known from the field: what is left on a connection, what an absent
//! tenant means, and where a name leads whose table is gone.

use std::time::Duration;

use integration::database::Database;
use integration::http::Served;
use integration::polls::polled;
use serde_json::json;
use tenancy::prelude::*;
use tenancy::{Isolation, Strategy};

use crate::shop::{self, NewTodo, Todo, todos};

const A: &str = "acme-corp";
const B: &str = "globex";

async fn serve(isolation: Isolation, pool_size: &str) -> (Database, Served) {
    let database = Database::empty().await;
    let app = shop::app(isolation).seed(A).seed(B);
    let vars = [
        ("TENANCY_POOL_SIZE", pool_size),
        ("TENANCY_DATABASE_POOL_SIZE", pool_size),
    ];
    let shop = Served::start(app, &database, &vars).await;
    (database, shop)
}

async fn db(shop: &Served, slug: &str) -> TenantDb {
    let slug = slug.parse().expect("a slug");
    shop.tenancy.tenant(&slug).await.expect("a tenant").1
}

async fn titles(db: &TenantDb) -> Vec<String> {
    let mut conn = db.conn().await.expect("a connection");
    let titles = todos::table.select(todos::title).order(todos::title);
    titles.load(&mut conn).await.expect("rows")
}

fn new(title: String) -> NewTodo {
    NewTodo {
        id: None,
        title,
        done: None,
        project_id: None,
    }
}

// On one thread no answer comes within a poll, so there are as many polls as waits.
#[tokio::test]
async fn a_use_abandoned_at_any_poll_leaves_nothing_to_the_next() {
    let hybrid = Isolation::hybrid(Strategy::Schema, Strategy::Rls).premium_tenants([A]);
    let single = Isolation::single;
    for isolation in [
        single(Strategy::Rls),
        single(Strategy::Schema),
        single(Strategy::Database),
        hybrid,
    ] {
        let (database, shop) = serve(isolation, "1").await;
        let (a, b) = (db(&shop, A).await, db(&shop, B).await);
        new("of b".to_owned())
            .insert(&mut b.conn().await.unwrap())
            .await
            .unwrap();
        for times in 0.. {
            let pair = ["first", "second"].map(|which| format!("{times:03} {which}"));
            let work = async {
                let mut conn = a.conn().await?;
                let pair = pair.clone();
                conn.transaction(async |conn| {
                    for title in pair {
                        new(title).insert(conn).await?;
                    }
                    Ok::<(), Error>(())
                })
                .await?;
                Todo::query().load::<Todo>(&mut conn).await?;
                Ok::<(), Error>(())
            };
            let outcome = polled(times, work).await;
            assert_eq!(titles(&b).await, ["of b"], "after {times} polls");
            let kept: Vec<_> = titles(&a).await;
            let kept = pair.iter().filter(|title| kept.contains(title)).count();
            assert!(kept == 0 || kept == 2, "{kept} rows after {times} polls");
            if let Some(outcome) = outcome {
                outcome.unwrap();
                assert!(times > 1, "it was abandoned before");
                break;
            }
        }
        database.idle().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_connection_does_leave_it_to_the_next() {
    // The twin of the test above: the same use, abandoned on a connection that
    // goes back to its pool whatever happened to it.
    let (database, shop) = serve(Isolation::single(Strategy::Rls), "1").await;
    let a = shop.tenant(A);
    a.post("/todos", json!({"title": "of a"})).await.json(201);
    let id: String = database
        .value("SELECT id::text FROM tenancy.tenants WHERE slug = 'acme-corp'")
        .await;
    let plain = database.raw().await;
    let work = async {
        let scope = format!("BEGIN; SELECT set_config('tenancy.tenant_id', '{id}', true)");
        plain.batch_execute(&scope).await.unwrap();
        plain.batch_execute("SELECT pg_sleep(0.3)").await
    };
    let limit = Duration::from_millis(100);
    assert!(tokio::time::timeout(limit, work).await.is_err());
    let count = "SELECT count(*) FROM shared.todos";
    let seen: i64 = plain.query_one(count, &[]).await.unwrap().get(0);
    assert_eq!(seen, 1, "whoever comes next is still tenant a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_tenant_is_nobody_and_not_everybody() {
    let (database, shop) = serve(Isolation::single(Strategy::Rls), "2").await;
    let a = shop.tenant(A);
    a.post("/todos", json!({"title": "of a"})).await.json(201);
    let seen = async |value: Option<&str>| {
        let plain = database.raw().await;
        if let Some(value) = value {
            let set = "SELECT set_config('tenancy.tenant_id', $1, false)";
            plain.query_one(set, &[&value]).await.unwrap();
        }
        let count = plain.query_one("SELECT count(*) FROM shared.todos", &[]);
        count.await.map(|row| row.get::<_, i64>(0))
    };
    let nil = Uuid::nil().to_string();
    for value in [None, Some(""), Some(nil.as_str())] {
        assert_eq!(seen(value).await.unwrap(), 0, "{value:?}");
        let plain = database.raw().await;
        let write = "INSERT INTO shared.todos (title) VALUES ('of nobody')";
        assert!(plain.batch_execute(write).await.is_err());
    }
    for value in ["0", "%", "NULL", "' OR true --"] {
        assert!(seen(Some(value)).await.is_err(), "{value}");
    }
    // Nor is such a tenant admitted when it stands in the registry.
    let forged = "UPDATE tenancy.tenants SET id = \
         '00000000-0000-0000-0000-000000000000' WHERE slug = 'globex'";
    database.sabotage(forged).await;
    assert_eq!(shop.tenant(B).get("/todos").await.problem(500), "internal");
    // The twin: a policy that takes absence for everybody.
    let lax = "ALTER POLICY tenancy_isolation ON shared.todos USING \
         (nullif(current_setting('tenancy.tenant_id', true), '') IS NULL \
         OR tenant_id::text = current_setting('tenancy.tenant_id', true))";
    database.sabotage(lax).await;
    assert_eq!(seen(None).await.unwrap(), 1);
    assert_eq!(seen(Some("")).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_transaction_s_setting_leaves_behind_is_no_error() {
    let (database, shop) = serve(Isolation::single(Strategy::Rls), "1").await;
    let a = db(&shop, A).await;
    new("of a".to_owned())
        .insert(&mut a.conn().await.unwrap())
        .await
        .unwrap();
    let plain = database.raw().await;
    let use_it = async || {
        let transaction = format!(
            "BEGIN; SELECT set_config('tenancy.tenant_id', '{}', true); COMMIT",
            Uuid::now_v7()
        );
        plain.batch_execute(&transaction).await.unwrap();
        let left = "SELECT current_setting('tenancy.tenant_id', true)";
        let left: String = plain.query_one(left, &[]).await.unwrap().get(0);
        assert_eq!(left, "", "not NULL, as it was before");
        let count = "SELECT count(*) FROM shared.todos";
        plain
            .query_one(count, &[])
            .await
            .map(|row| row.get::<_, i64>(0))
    };
    assert_eq!(use_it().await.unwrap(), 0);
    // The twin: without `nullif` every later statement of the connection fails.
    let bare = "ALTER POLICY tenancy_isolation ON shared.todos USING \
         (tenant_id = (SELECT current_setting('tenancy.tenant_id', true)::uuid))";
    database.sabotage(bare).await;
    let error = use_it().await.unwrap_err();
    assert_eq!(
        error.code().map(tokio_postgres::error::SqlState::code),
        Some("22P02")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_gone_leads_to_no_other() {
    for strategy in [Strategy::Rls, Strategy::Schema, Strategy::Database] {
        let (database, shop) = serve(Isolation::single(strategy), "2").await;
        let a = shop.tenant(A);
        a.post("/todos", json!({"title": "of a"})).await.json(201);
        let slug = A.parse().unwrap();
        let (tenant, db) = shop.tenancy.tenant(&slug).await.unwrap();
        let schema = tenant.record().locator.as_ref().unwrap().schema();
        // Everybody's table of the same name, as an older application left it.
        let bait = format!(
            "CREATE TABLE public.todos AS SELECT gen_random_uuid() AS id, \
                'of nobody'::text AS title, false AS done, NULL::uuid AS project_id; \
             GRANT ALL ON public.todos TO PUBLIC; DROP TABLE {schema}.todos"
        );
        let superuser = database.superuser_at(tenant.record()).await;
        superuser.batch_execute(&bait).await.unwrap();
        assert_eq!(a.get("/todos").await.problem(500), "internal");
        let refused = a.post("/todos", json!({"title": "lost"})).await;
        assert_eq!(refused.problem(500), "internal");
        let bare = diesel::sql_query("SELECT * FROM todos")
            .execute(&mut db.conn().await.unwrap())
            .await;
        assert!(bare.unwrap_err().to_string().contains("does not exist"));
        // The twin: by search path the statement finds it.
        let plain = database.raw_at(tenant.record()).await;
        let path = format!("SET search_path = {schema}, public");
        plain.batch_execute(&path).await.unwrap();
        let row = plain
            .query_one("SELECT title FROM todos", &[])
            .await
            .unwrap();
        assert_eq!(row.get::<_, &str>(0), "of nobody");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_looks_like_sql_is_data() {
    let (database, shop) = serve(Isolation::single(Strategy::Rls), "1").await;
    let hostile = "'; RESET ALL; SET ROLE postgres; DROP TABLE shared.todos; --";
    let a = shop.tenant(A);
    a.post("/todos", json!({ "title": hostile }))
        .await
        .json(201);
    assert_eq!(a.get("/todos").await.json(200)[0]["title"], hostile);
    assert_eq!(shop.tenant(B).get("/todos").await.json(200), json!([]));
    let refused = shop.tenant("'; RESET ALL; --").get("/todos").await;
    assert_eq!(refused.problem(400), "tenant_unresolved");
    // The id goes to the server as a parameter, where nothing else reads it.
    let plain = database.raw().await;
    let set = "SELECT set_config('tenancy.tenant_id', $1, true)";
    let back: String = plain.query_one(set, &[&hostile]).await.unwrap().get(0);
    assert_eq!(back, hostile);
    // The twin: spliced into a statement, it is one.
    let spliced = format!("SET tenancy.tenant_id = '{hostile}'");
    assert!(plain.batch_execute(&spliced).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owner_itself_is_held_to_the_policies() {
    let (database, shop) = serve(Isolation::single(Strategy::Rls), "1").await;
    for slug in [A, B] {
        let todo = json!({"title": format!("of {slug}")});
        shop.tenant(slug).post("/todos", todo).await.json(201);
    }
    let seen = async || {
        let rows = "SELECT title FROM shared.todos ORDER BY title";
        let rows = database.owner.query(rows, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect::<Vec<String>>()
    };
    assert!(seen().await.is_empty());
    // The twin: it is FORCE that holds it, and nothing else.
    database
        .sabotage("ALTER TABLE shared.todos NO FORCE ROW LEVEL SECURITY")
        .await;
    assert_eq!(seen().await, ["of acme-corp", "of globex"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_looks_like_sql_is_data_to_the_setter() {
    const HOSTILE: &str = "x'; RESET ALL; SET ROLE postgres; --";
    let (database, shop) = serve(Isolation::single(Strategy::Rls), "1").await;
    let make = format!(
        "DROP ROLE IF EXISTS \"{HOSTILE}\"; CREATE ROLE \"{HOSTILE}\"; \
         GRANT \"{HOSTILE}\" TO {}",
        database.app_role()
    );
    database.sabotage(&make).await;
    // A pool that acts as a role sets it beside the tenant, in the same call.
    let pool = database.pool(1, None).acting_as(HOSTILE);
    let (tenant, _) = shop.tenancy.tenant(&A.parse().unwrap()).await.unwrap();
    let locator = tenant.record().locator.clone().unwrap();
    let shared = "shared".parse().unwrap();
    let db = tenancy::__forge::forge(&pool, &shared, tenant.id(), locator).unwrap();
    let who = || diesel::dsl::sql::<diesel::sql_types::Text>("current_user::text");
    let mut conn = db.conn().await.unwrap();
    let role: String = diesel::select(who()).get_result(&mut conn).await.unwrap();
    assert_eq!(role, HOSTILE);
    drop(conn);
    // The twin: spliced into a statement, it is several.
    let spliced = format!("BEGIN; SET LOCAL ROLE '{HOSTILE}'");
    let error = database.raw().await.batch_execute(&spliced).await;
    assert!(error.is_err());
    database.sabotage(&format!("DROP ROLE \"{HOSTILE}\"")).await;
}
