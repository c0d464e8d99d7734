use std::path::PathBuf;
use std::time::{Duration, Instant};

use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::future::try_join_all;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use super::*;

type Connection = JoinHandle<Result<(), tokio_postgres::Error>>;

async fn connect(server: &EmbeddedServer) -> (Client, Connection) {
    // Longer than any start; a hang is a failure and not a stuck test.
    let connecting = tokio_postgres::connect(server.url(), NoTls);
    let connected = timeout(Duration::from_secs(20), connecting).await;
    let (client, connection) = connected.expect("connecting hangs").unwrap();
    (client, tokio::spawn(connection))
}

async fn close((client, connection): (Client, Connection)) {
    drop(client);
    connection.await.unwrap().unwrap();
}

async fn text(client: &Client, sql: &str) -> String {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// A folder that is gone with the value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("tenancy-test-{}", uuid::Uuid::now_v7());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_switch_for_a_transaction_and_are_held_by_row_level_security() {
    let server = EmbeddedServer::start(&Embedded::Temporary).await.unwrap();
    let client = connect(&server).await;
    let (db, _) = &client;
    let user = "select current_user::text || ' ' || usesuper from pg_user \
                where usename = current_user";
    assert_eq!(text(db, user).await, "postgres true");

    db.batch_execute(
        "create role tenancy_owner nologin; create role tenancy_app nologin;
         create schema s authorization tenancy_owner; grant usage on schema s to tenancy_app;
         set role tenancy_owner;
         create table s.t (tenant int not null, n int not null);
         grant select, insert on s.t to tenancy_app;
         alter table s.t enable row level security; alter table s.t force row level security;
         create policy access on s.t using (true) with check (true);
         create policy isolation on s.t as restrictive
             using (tenant = nullif(current_setting('x.tenant', true), '')::int);
         reset role",
    )
    .await
    .unwrap();

    for role in ["tenancy_app", "tenancy_owner"] {
        db.batch_execute("begin").await.unwrap();
        let switch = "select set_config('role', $1, true), set_config('x.tenant', '1', true)";
        db.query(switch, &[&role]).await.unwrap();
        assert_eq!(text(db, "select current_user::text").await, role);
        db.execute("insert into s.t values (1, 1)", &[])
            .await
            .unwrap();
        db.batch_execute("commit").await.unwrap();
        assert_eq!(text(db, "select current_user::text").await, "postgres");
    }

    // Forced: the owner sees nothing without a tenant either, and may not write
    // another's row.
    for role in ["tenancy_app", "tenancy_owner"] {
        let sql = format!("begin; select set_config('role', '{role}', true)");
        db.batch_execute(&sql).await.unwrap();
        assert_eq!(text(db, "select count(*)::text from s.t").await, "0");
        let refused = db.execute("insert into s.t values (2, 1)", &[]).await;
        assert!(refused.is_err());
        db.batch_execute("rollback").await.unwrap();
    }

    // The rows are there, and it is FORCE that hid them from the owner.
    assert_eq!(text(db, "select count(*)::text from s.t").await, "2");
    db.batch_execute(
        "alter table s.t no force row level security;
         begin; select set_config('role', 'tenancy_owner', true)",
    )
    .await
    .unwrap();
    assert_eq!(text(db, "select count(*)::text from s.t").await, "2");
    db.batch_execute("rollback").await.unwrap();
    close(client).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn prepared_and_pipelined_statements_work_and_are_quick() {
    let server = EmbeddedServer::start(&Embedded::Temporary).await.unwrap();
    let client = connect(&server).await;
    let (db, _) = &client;
    let one = db.prepare("select $1::int + 1").await.unwrap();
    let pipelined = (0..200).map(|n: i32| {
        let one = &one;
        async move { Ok::<i32, tokio_postgres::Error>(db.query_one(one, &[&n]).await?.get(0)) }
    });
    let answers = try_join_all(pipelined).await.unwrap();
    assert_eq!(answers, (1..=200).collect::<Vec<_>>());

    let mut times = Vec::new();
    for _ in 0..1000 {
        let began = Instant::now();
        db.query_one(&one, &[&1]).await.unwrap();
        times.push(began.elapsed());
    }
    times.sort();
    println!("select over the socket: {:?} (median)", times[500]);
    // A fifth of what TCP without TCP_NODELAY takes; else the socket is not used.
    #[cfg(unix)]
    assert!(times[500] < Duration::from_millis(8), "{:?}", times[500]);

    // The second waits for the first, as there is room for one.
    let url = server.url().to_owned();
    let second = tokio::spawn(async move { AsyncPgConnection::establish(&url).await });
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(!second.is_finished());
    close(client).await;
    let mut second = second.await.unwrap().unwrap();
    second
        .batch_execute("create table t (n bigint)")
        .await
        .unwrap();
    let inserted = diesel::sql_query("insert into t select generate_series(1, $1)")
        .bind::<BigInt, _>(50_000)
        .execute(&mut second)
        .await;
    assert_eq!(inserted, Ok(50_000));
    let version: String = diesel::select(diesel::dsl::sql::<Text>("version()"))
        .get_result(&mut second)
        .await
        .unwrap();
    assert!(version.starts_with("PostgreSQL 17"), "{version}");
    drop(second);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_keeps_the_data_and_has_one_server() {
    let root = Folder::new();
    // Far beyond what a socket's path may measure.
    let folder = root.0.join("long".repeat(40)).join("with spaces");
    let place = Embedded::Folder(folder.clone());
    let server = EmbeddedServer::start(&place).await.unwrap();
    let client = connect(&server).await;
    let sql = "create table t (n int); insert into t values (42)";
    client.0.batch_execute(sql).await.unwrap();
    let second = EmbeddedServer::start(&place).await.unwrap_err();
    assert!(
        matches!(&second, EmbeddedError::InUse { folder: used } if *used == folder),
        "{second}"
    );
    close(client).await;
    server.stop().await.unwrap();

    let server = EmbeddedServer::start(&place).await.unwrap();
    let client = connect(&server).await;
    assert_eq!(text(&client.0, "select n::text from t").await, "42");
    let sql = "begin; insert into t values (43)";
    client.0.batch_execute(sql).await.unwrap();
    // With the client still there, in a transaction.
    server.stop().await.unwrap();
    assert!(client.0.batch_execute("commit").await.is_err());

    // Dropped, not stopped.
    for _ in 0..2 {
        let server = EmbeddedServer::start(&place).await.unwrap();
        let (db, _) = &connect(&server).await;
        assert_eq!(text(db, "select count(*)::text from t").await, "1");
        drop(server);
    }
    let ignored = std::fs::read_to_string(folder.join(".gitignore")).unwrap();
    assert_eq!(ignored, "*\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_vanish_are_followed_by_others() {
    let server = EmbeddedServer::start(&Embedded::Temporary).await.unwrap();
    let client = connect(&server).await;
    let sql = "create table t (n int)";
    client.0.batch_execute(sql).await.unwrap();
    close(client).await;

    // In the middle of a transaction, of a statement, of an answer.
    for (setup, sql) in [
        ("begin; insert into t values (1)", "select 1"),
        ("begin; insert into t values (2)", "select pg_sleep(1)"),
        (
            "begin; insert into t values (3)",
            "select repeat('x', 1000) from generate_series(1, 100000)",
        ),
    ] {
        let (db, connection) = connect(&server).await;
        db.batch_execute(setup).await.unwrap();
        let running = tokio::spawn(async move { db.query(sql, &[]).await.map(drop) });
        tokio::time::sleep(Duration::from_millis(200)).await;
        // Ends the socket without a word, as a process does that is killed.
        connection.abort();
        running.await.unwrap().ok();

        let client = connect(&server).await;
        let count = text(&client.0, "select count(*)::text from t").await;
        assert_eq!(count, "0", "{sql}");
        close(client).await;
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_died_is_started_anew_with_its_data() {
    let server = EmbeddedServer::start(&Embedded::Temporary).await.unwrap();
    let (db, connection) = connect(&server).await;
    db.batch_execute(
        "create table t (n int); insert into t values (1);
         create function f(n int) returns int language plpgsql as 'begin return f(n + 1); end'",
    )
    .await
    .unwrap();
    // The stack overflows, and the trap ends the server for everybody.
    assert!(db.batch_execute("select f(1)").await.is_err());
    drop(db);
    connection.await.unwrap().ok();

    let client = connect(&server).await;
    assert_eq!(text(&client.0, "select n::text from t").await, "1");
    close(client).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_three_roles_take_turns_on_the_one_connection() {
    use diesel::sql_types::{Bool, Text};
    use diesel_async::RunQueryDsl;

    use crate::error::Result;

    #[derive(diesel::QueryableByName)]
    struct Role {
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = Bool)]
        superuser: bool,
    }
    let role = || {
        diesel::sql_query(
            "SELECT rolname::text AS name, rolsuper AS superuser FROM pg_catalog.pg_roles \
             WHERE rolname = current_user",
        )
    };
    let app = crate::app::App::new("roles", "1.0.0")
        .isolation(crate::isolation::Isolation::single(
            crate::isolation::Strategy::Rls,
        ))
        .embedded(Embedded::Temporary)
        .seed("acme-corp")
        .seed("globex");
    let config = crate::config::Config::from_vars(app.defaults(), []).unwrap();
    let (tenancy, router) = app.start(config).await.unwrap();
    let system = tenancy.system().unwrap();
    let all = system.run("a test", "to see", async |conn| {
        let seen: Result<Role> = Ok(role().get_result(conn).await?);
        seen
    });
    let all = all.await.unwrap();
    assert_eq!((&*all.name, all.superuser), ("tenancy_system", false));
    let each = system.for_each_tenant("a test", "to see", 4, async |_, conn| {
        let seen: Result<Role> = Ok(role().get_result(conn).await?);
        seen
    });
    let each = each.await.unwrap();
    assert_eq!(each.len(), 2);
    for (slug, role) in each {
        assert_eq!(role.unwrap().name, "tenancy_app", "{slug}");
    }
    drop((router, system));
    tenancy.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_cancel_does_no_harm() {
    let server = EmbeddedServer::start(&Embedded::Temporary).await.unwrap();
    for _ in 0..2 {
        let (db, connection) = connect(&server).await;
        let token = db.cancel_token();
        let slow = db.batch_execute("select pg_sleep(0.3)");
        let soon = Duration::from_millis(50);
        assert!(timeout(soon, slow).await.is_err());
        // Both wait for the end of the statement, in whatever order.
        let limit = Duration::from_secs(5);
        let cancelling =
            tokio::spawn(async move { timeout(limit, token.cancel_query(NoTls)).await });
        connection.abort();
        drop(db);
        let client = connect(&server).await;
        assert_eq!(text(&client.0, "select 'served'").await, "served");
        close(client).await;
        cancelling.await.unwrap().ok();
    }
    server.stop().await.unwrap();
}
