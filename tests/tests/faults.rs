//! When connections run out, clients leave, or the database goes away: an
//! answer in time, and service again afterwards, without a restart of ours.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use integration::database::Database;
use integration::http::Served;
use integration::servers::{Postgres, Shutdown};
use serde_json::json;
use tenancy::{Isolation, Strategy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::shop;

const A: &str = "acme-corp";

async fn serve(database: &Database, vars: &[(&str, &str)]) -> Served {
    let app = shop::app(Isolation::single(Strategy::Rls)).seed(A);
    Served::start(app, database, vars).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_free_connection_the_answer_is_503_within_the_wait() {
    let database = Database::empty().await;
    let vars = [("TENANCY_POOL_SIZE", "2"), ("TENANCY_POOL_TIMEOUT", "0.5")];
    let shop = serve(&database, &vars).await;
    let a = shop.tenant(A);
    let hold = || async { a.get("/hold/3000").await };
    let rest = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        for _ in 0..3 {
            let start = Instant::now();
            let refused = a.get("/todos").await;
            let took = start.elapsed();
            assert_eq!(refused.problem(503), "unavailable");
            assert_eq!(refused.headers["retry-after"], "1");
            assert!(took >= Duration::from_millis(400), "it waited: {took:?}");
            assert!(took < Duration::from_millis(1_500), "no longer: {took:?}");
        }
        // Who needs no connection is served all the same.
        assert_eq!(shop.nobody().get("/health").await.status, 200);
    };
    let (first, second, ()) = tokio::join!(hold(), hold(), rest);
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 200));
    a.get("/todos").await.json(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_leave_take_no_connection_with_them() {
    let database = Database::empty().await;
    let vars = [("TENANCY_POOL_SIZE", "2"), ("TENANCY_POOL_TIMEOUT", "5")];
    let shop = serve(&database, &vars).await;
    let request = format!("GET /hold/60000 HTTP/1.1\r\nHost: shop\r\nX-Tenant-ID: {A}\r\n\r\n");
    for round in 0..20 {
        let mut client = TcpStream::connect(shop.site.address).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(round * 5)).await;
        drop(client);
    }
    let start = Instant::now();
    shop.tenant(A).get("/todos").await.json(200);
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    database.idle().await;
}

/// Asks again and again until told to stop, and counts the answers' statuses.
async fn load(shop: Arc<Served>, stop: Arc<AtomicBool>) -> BTreeMap<u16, usize> {
    let mut statuses = BTreeMap::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let caller = shop.tenant(A);
        let answer = if number % 2 == 0 {
            let todo = json!({ "title": Uuid::now_v7() });
            caller.post("/todos", todo).await
        } else {
            caller.get("/board").await
        };
        let status = answer.status.as_u16();
        if status == 503 {
            assert_eq!(answer.headers["retry-after"], "1");
        }
        assert!([200, 201, 503].contains(&status), "{}", answer.text());
        *statuses.entry(status).or_default() += 1;
    }
    statuses
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_and_comes_back_is_used_again() {
    let mut postgres = Postgres::start().await;
    let database = Database::empty_on(&postgres.url()).await;
    let vars = [("TENANCY_POOL_SIZE", "4"), ("TENANCY_POOL_TIMEOUT", "1")];
    let shop = Arc::new(serve(&database, &vars).await);
    let mut all_refused = 0;
    for outage in ["fast", "immediate", "killed"] {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..8).map(|_| tokio::spawn(load(shop.clone(), stop.clone())));
        let clients: Vec<_> = clients.collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        match outage {
            "fast" => postgres.restart(Shutdown::Fast).await,
            "immediate" => postgres.restart(Shutdown::Immediate).await,
            _ => {
                postgres.kill();
                postgres.start_again().await;
            }
        }
        // Served again: at the latest when the longest wait is over.
        let start = Instant::now();
        while shop.tenant(A).get("/todos").await.status != 200 {
            let took = start.elapsed();
            assert!(took < Duration::from_secs(10), "{outage}: {took:?}");
        }
        for _ in 0..50 {
            shop.tenant(A).get("/todos").await.json(200);
        }
        stop.store(true, Ordering::Relaxed);
        let counts = join_all(clients).await;
        let counts: Vec<_> = counts
            .into_iter()
            .map(|count| count.expect("a client"))
            .collect();
        let served: usize = counts.iter().filter_map(|count| count.get(&201)).sum();
        let refused: usize = counts.iter().filter_map(|count| count.get(&503)).sum();
        assert!(served > 0, "{outage}: it was under load");
        all_refused += refused;
    }
    // Not each time: what a killed server leaves behind goes on for a while.
    assert!(all_refused > 0, "it was away");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_runs_into_its_time_limit_is_a_503() {
    let database = Database::empty().await;
    let limit = format!(
        "ALTER ROLE {} SET lock_timeout = '200ms'",
        database.app_role()
    );
    database.sabotage(&limit).await;
    let shop = serve(&database, &[]).await;
    shop.tenant(A).get("/todos").await.json(200);
    let lock = "BEGIN; LOCK TABLE shared.todos IN ACCESS EXCLUSIVE MODE";
    database.sabotage(lock).await;
    let refused = shop.tenant(A).get("/todos").await;
    assert_eq!(refused.problem(503), "unavailable");
    database.sabotage("ROLLBACK").await;
    shop.tenant(A).get("/todos").await.json(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_waits_of_one_request_count_together() {
    let database = Database::empty().await;
    // Each request looks its tenant up.
    let vars = [
        ("TENANCY_POOL_SIZE", "1"),
        ("TENANCY_POOL_TIMEOUT", "1"),
        ("TENANCY_CACHE_ENABLED", "false"),
    ];
    let shop = serve(&database, &vars).await;
    let (_, db) = shop.tenancy.tenant(&A.parse().unwrap()).await.unwrap();
    let _held = db.conn().await.unwrap();
    let lock = "BEGIN; LOCK TABLE tenancy.tenants IN ACCESS EXCLUSIVE MODE";
    database.sabotage(lock).await;
    let body = r#"{"title": "late"}"#;
    let head = format!(
        "POST /todos HTTP/1.1\r\nHost: shop\r\nX-Tenant-ID: {A}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut client = TcpStream::connect(shop.site.address).await.unwrap();
    client.write_all(head.as_bytes()).await.unwrap();
    // The look-up waits for most of the time.
    tokio::time::sleep(Duration::from_millis(700)).await;
    database.sabotage("ROLLBACK").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    client.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    let took = start.elapsed();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(took > Duration::from_millis(100), "it waited: {took:?}");
    assert!(took < Duration::from_millis(700), "for the rest: {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_embedded_database_in_an_endless_statement_does_not_keep_the_process() {
    let app = shop::app(Isolation::single(Strategy::Rls)).seed(A);
    let vars = [("TENANCY_EMBEDDED".to_owned(), "temporary".to_owned())];
    let config = tenancy::config::Config::from_vars(app.defaults(), vars).unwrap();
    let (tenancy, router) = app.start(config).await.unwrap();
    drop(router);
    let (_, db) = tenancy.tenant(&A.parse().unwrap()).await.unwrap();
    let endless = tokio::spawn(async move {
        let mut conn = db.conn().await.unwrap();
        let sleep = diesel::sql_query("SELECT pg_sleep(30)");
        let _ = diesel_async::RunQueryDsl::execute(sleep, &mut conn).await;
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!endless.is_finished());
    let start = Instant::now();
    tenancy.stop().await.expect("a warning and no error");
    let took = start.elapsed();
    assert!(took > Duration::from_secs(2), "it was busy: {took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    endless.abort();
}
