//! What a statement leaves whose text does not tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use diesel::connection::InstrumentationEvent;
use diesel_async::SimpleAsyncConnection as _;

use super::*;

const GONE: &str = "does not exist";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn temporary_tables_reach_nobody() {
    let house = House::new().await;
    let session_of_a = session(&house.a).await;
    for make in [
        "SELECT title INTO TEMP snap FROM \"tenant\".todos",
        "EXPLAIN ANALYZE CREATE TEMP TABLE snap AS SELECT title FROM \"tenant\".todos",
    ] {
        execute(&house.a, make).await.unwrap();
        for db in [&house.b, &house.own] {
            let seen = texts(db, "SELECT title AS text FROM snap").await;
            assert!(says(&seen, GONE), "{make}: {seen:?}");
        }
    }
    assert_eq!(
        session(&house.other).await,
        session_of_a,
        "it was used again"
    );
    // The twin: a connection that nothing is undone on.
    let plain = house.database.raw().await;
    plain
        .batch_execute("SELECT 'x' AS title INTO TEMP snap")
        .await
        .unwrap();
    plain.batch_execute("SELECT title FROM snap").await.unwrap();
}

/// Statements that become the tenant `{id}` for the rest of their session.
const DISGUISES: &[&str] = &[
    "SELECT set_config('tenancy.tenant_id', '{id}', false)",
    "SELECT U&\"set\\005fconfig\"('tenancy.tenant_id', '{id}', false)",
    "SELECT query_to_xml('SELECT set_config(''tenancy.tenant_id'', ''{id}'', false)', \
     true, false, '')::text",
    "SELECT E'a'\n'\\'', set_config(E'tenancy.tenant_id', '{id}', false)",
    "SELECT \"shared\".remember('{id}')",
    "WITH x AS (SELECT set_config('tenancy.tenant_id', '{id}', false)) SELECT * FROM x",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_is_set_in_disguise_is_nobody_s_afterwards() {
    let house = House::new().await;
    let id = house.id_of_a().await;
    let remember = "CREATE FUNCTION shared.remember(id text) RETURNS void LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM set_config('tenancy.tenant_id', id, false); END $$";
    house.database.sabotage(remember).await;
    let shared = "SELECT title AS text FROM \"shared\".todos";
    for disguise in DISGUISES {
        let disguise = disguise.replace("{id}", &id);
        execute(&house.a, &disguise).await.unwrap();
        let seen = texts(&house.own, shared).await.unwrap();
        assert!(seen.is_empty(), "{disguise}: {seen:?}");
        // The twin: on one connection it lasts.
        let plain = house.database.raw().await;
        let twin = disguise.replace("\"shared\"", "shared");
        plain.query(&twin, &[]).await.unwrap();
        let rows = plain.query("SELECT title FROM shared.todos", &[]).await;
        assert_eq!(rows.unwrap().len(), 1, "{disguise}");
    }
}

diesel::define_sql_function! {
    #[sql_name = "\"shared\".remember"]
    fn remember(id: Text) -> diesel::sql_types::Bool;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_typed_call_of_an_own_function_is_not_taken_for_harmless() {
    let house = House::new().await;
    let id = house.id_of_a().await;
    let function = "CREATE FUNCTION shared.remember(id text) RETURNS bool LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM set_config('tenancy.tenant_id', id, false); RETURN true; END $$";
    house.database.sabotage(function).await;
    let done: bool = diesel::select(remember(id))
        .get_result(&mut house.a.conn().await.unwrap())
        .await
        .unwrap();
    assert!(done);
    let shared = "SELECT title AS text FROM \"shared\".todos";
    assert!(texts(&house.own, shared).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_undone_whatever_the_next_use_begins_with() {
    let house = House::new().await;
    let path = format!(
        "UPDATE pg_catalog.pg_settings SET setting = '{}' WHERE name = 'search_path'",
        house.schema_of_own().await
    );
    let bare = "SELECT title AS text FROM todos";
    for first in 0..6 {
        for db in [&house.b, &house.other] {
            execute(&house.a, &path).await.unwrap();
            let mut conn = db.conn().await.unwrap();
            match first {
                0 => {}
                1 => {
                    todos::table
                        .count()
                        .get_result::<i64>(&mut conn)
                        .await
                        .unwrap();
                }
                2 => {
                    let seen = conn.batch_execute("DELETE FROM todos").await;
                    assert!(says(&seen, GONE), "in a batch: {seen:?}");
                }
                3 => {
                    let seen = conn.transaction(async |conn| texts_on(conn, bare).await);
                    assert!(says(&seen.await, GONE), "in a transaction");
                }
                4 => {
                    let seen = conn.transaction(async |conn| {
                        conn.transaction(async |conn| texts_on(conn, bare).await)
                            .await
                    });
                    assert!(says(&seen.await, GONE), "in a nested one");
                }
                // Nothing at all: it is left to the use after.
                _ => {
                    drop(conn);
                    conn = house.own.conn().await.unwrap();
                }
            }
            let seen = texts_on(&mut conn, bare).await;
            assert!(says(&seen, GONE), "{first}: {seen:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_and_sequences_are_given_up() {
    let house = House::new().await;
    execute(&house.a, "SELECT pg_advisory_lock(7)")
        .await
        .unwrap();
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(house.database.value::<i64>(locks).await, 1, "it was held");
    titles(&house.b).await;
    assert_eq!(house.database.value::<i64>(locks).await, 0);

    let count = NewCount {
        id: None,
        text: "x".to_owned(),
    };
    count
        .insert(&mut house.own.conn().await.unwrap())
        .await
        .unwrap();
    let last = texts(&house.other, "SELECT lastval()::text AS text").await;
    assert!(says(&last, "not yet defined"), "{last:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undoing_costs_no_round_trip_and_keeps_what_is_prepared() {
    let (house, wire) = House::wired().await;
    for db in [&house.a, &house.own] {
        for warm in [false, true] {
            // Marks the session, so that each of the next must undo it.
            let title = format!("marks {warm}");
            new(&title)
                .insert(&mut db.conn().await.unwrap())
                .await
                .unwrap();
            wire.take();
            titles(db).await;
            let select = wire.take();
            new(&format!("{title} again"))
                .insert(&mut db.conn().await.unwrap())
                .await
                .unwrap();
            wire.take();
            let mut conn = db.conn().await.unwrap();
            conn.transaction(async |conn| todos::table.count().get_result::<i64>(conn).await)
                .await
                .unwrap();
            let transaction = wire.take();
            drop(conn);
            if warm {
                assert_eq!((select, transaction), (1, 2));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_listens_in_hears_no_other_tenant() {
    let house = House::new().await;
    let heard = Arc::new(AtomicUsize::new(0));
    let ear = heard.clone();
    let mut conn = house.a.conn().await.unwrap();
    conn.set_instrumentation(move |_: InstrumentationEvent<'_>| {
        ear.fetch_add(1, Ordering::Relaxed);
    });
    todos::table
        .count()
        .get_result::<i64>(&mut conn)
        .await
        .unwrap();
    drop(conn);
    let before = AtomicUsize::load(&heard, Ordering::Relaxed);
    assert!(before > 0, "it does hear its own");
    titles(&house.b).await;
    assert_eq!(AtomicUsize::load(&heard, Ordering::Relaxed), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_undone_closes_the_session() {
    let house = House::new().await;
    for sql in [
        "SET tenancy.x = '1'",
        "LISTEN x",
        "PREPARE x AS SELECT 1",
        "DO $$ BEGIN NULL; END $$",
        "SELECT setseed(0.5)",
    ] {
        let before = session(&house.a).await;
        execute(&house.a, sql).await.unwrap();
        assert_ne!(session(&house.b).await, before, "{sql}");
    }
    let before = session(&house.a).await;
    house
        .a
        .conn()
        .await
        .unwrap()
        .batch_execute("SELECT 1")
        .await
        .unwrap();
    assert_ne!(session(&house.b).await, before, "a batch");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ears_cursors_and_roles_are_given_up() {
    let house = House::new().await;
    let run = "CREATE FUNCTION shared.run(sql text) RETURNS void LANGUAGE plpgsql AS \
         $$ BEGIN EXECUTE sql; END $$";
    house.database.sabotage(run).await;
    let app = house.database.app_role();
    let role = Box::leak(app.to_owned().into_boxed_str());
    let pool = house.database.superuser_pool(1).acting_as(role);
    let (a, b) = (
        house.database.in_shared_tables(&pool).await,
        house.database.in_shared_tables(&pool).await,
    );
    let before = session(&a).await;
    for (hidden, what) in [
        ("LISTEN x", "array(SELECT pg_listening_channels())"),
        (
            "DECLARE x CURSOR WITH HOLD FOR SELECT 1",
            "array(SELECT name FROM pg_cursors WHERE is_holdable)",
        ),
    ] {
        let hide = format!("SELECT \"shared\".run('{hidden}')");
        let left = format!("SELECT {what}::text AS text");
        let mut conn = a.conn().await.unwrap();
        diesel::sql_query(hide).execute(&mut conn).await.unwrap();
        assert_eq!(texts_on(&mut conn, &left).await.unwrap(), ["{x}"]);
        drop(conn);
        assert_eq!(texts(&b, &left).await.unwrap(), ["{}"], "{hidden}");
    }
    let user = "SELECT session_user::text AS text";
    let mut conn = a.conn().await.unwrap();
    let become_app = format!("SELECT set_config('session_authorization', '{app}', false)");
    diesel::sql_query("SELECT set_config('role', 'none', true)")
        .execute(&mut conn)
        .await
        .unwrap();
    let superuser = texts_on(&mut conn, user).await.unwrap();
    diesel::sql_query(become_app)
        .execute(&mut conn)
        .await
        .unwrap();
    assert_eq!(texts_on(&mut conn, user).await.unwrap(), [app]);
    drop(conn);
    assert_eq!(texts(&b, user).await.unwrap(), superuser);
    assert_eq!(session(&b).await, before, "and it goes on being used");
}
