//! Bodies that arrive slowly, in pieces, or not at all.

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::post;
use futures_util::StreamExt as _;
use integration::database::Database;
use integration::http::{Answer, Served};
use serde_json::json;
use tenancy::prelude::*;
use tenancy::{Isolation, Strategy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::shop;

const A: &str = "acme-corp";
const POOL: usize = 2;

/// Borrows first and reads afterwards: what `TenantConn` does not do.
async fn early(db: TenantDb, body: Body) -> Result<String> {
    let _conn = db.conn().await?;
    count(body).await
}

async fn upload(_db: TenantConn, body: Body) -> Result<String> {
    count(body).await
}

async fn whole(_db: TenantConn, body: Bytes) -> String {
    body.len().to_string()
}

async fn count(body: Body) -> Result<String> {
    let mut pieces = body.into_data_stream();
    let mut sum = 0;
    while let Some(piece) = pieces.next().await {
        sum += piece
            .map_err(Error::internal)?
            .iter()
            .map(|&b| u64::from(b))
            .sum::<u64>();
    }
    Ok(sum.to_string())
}

async fn serve() -> (Database, Served) {
    let database = Database::empty().await;
    let router = Router::new()
        .route("/early", post(early))
        .route("/upload", post(upload))
        .route("/whole", post(whole));
    let app = shop::app(Isolation::single(Strategy::Rls))
        .seed(A)
        .merge(router);
    let vars = [("TENANCY_POOL_SIZE", "2"), ("TENANCY_POOL_TIMEOUT", "0.5")];
    let shop = Served::start(app, &database, &vars).await;
    (database, shop)
}

/// Sends the head of a request and so much of its body.
async fn send(shop: &Served, path: &str, headers: &str, start: &[u8]) -> TcpStream {
    let mut client = TcpStream::connect(shop.site.address)
        .await
        .expect("a connection");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: shop\r\nX-Tenant-ID: {A}\r\nConnection: close\r\n\
         Content-Type: application/json\r\n{headers}\r\n\r\n"
    );
    client.write_all(head.as_bytes()).await.expect("a head");
    client.write_all(start).await.expect("a start");
    client
}

/// More half-sent requests than the pool has connections; what somebody else
/// then hears.
async fn besieged(shop: &Served, path: &str, body: &str) -> (Vec<TcpStream>, Answer) {
    let length = format!("Content-Length: {}", body.len());
    let mut clients = Vec::new();
    for _ in 0..POOL * 2 {
        clients.push(send(shop, path, &length, &body.as_bytes()[..1]).await);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let answer = shop.tenant(A).get("/todos").await;
    (clients, answer)
}

async fn rest(mut client: TcpStream) -> String {
    let mut answer = String::new();
    let read = client.read_to_string(&mut answer).await;
    read.expect("an answer");
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_sent_bodies_hold_no_connection() {
    let (_database, shop) = serve().await;
    let body = r#"{"title": "late"}"#;
    let start = Instant::now();
    let (clients, answer) = besieged(&shop, "/todos", body).await;
    answer.json(200);
    assert!(start.elapsed() < Duration::from_millis(600), "at once");
    // They are served when the rest has come; the first gets the title.
    let mut statuses = Vec::new();
    for mut client in clients {
        client.write_all(&body.as_bytes()[1..]).await.unwrap();
        statuses.push(rest(client).await[9..12].to_owned());
    }
    assert_eq!(statuses, ["201", "409", "409", "409"]);
    // The twin: who borrows first and then waits locks out everybody else.
    let (clients, answer) = besieged(&shop, "/early", body).await;
    assert_eq!(answer.problem(503), "unavailable");
    drop(clients);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_longer_than_what_is_kept_is_streamed() {
    let (_database, shop) = serve().await;
    let piece = [1_u8; 64 * 1024];
    let pieces = 5 * 16;
    let length = format!("Content-Length: {}", piece.len() * pieces);
    let mut client = send(&shop, "/upload", &length, &[]).await;
    for _ in 0..pieces {
        client.write_all(&piece).await.unwrap();
    }
    let answer = rest(client).await;
    assert!(
        answer.ends_with(&(piece.len() * pieces).to_string()),
        "{answer}"
    );

    // In pieces of unknown number, with what comes after the last one.
    let chunked = "Transfer-Encoding: chunked\r\nTrailer: X-Sum";
    let mut client = send(&shop, "/upload", chunked, &[]).await;
    for _ in 0..3 {
        client.write_all(b"2\r\n\x01\x01\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    client.write_all(b"0\r\nX-Sum: 6\r\n\r\n").await.unwrap();
    let answer = rest(client).await;
    assert!(answer.ends_with("\r\n\r\n6"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_over_the_limit_is_refused_without_waiting_for_its_end() {
    let (_database, shop) = serve().await;
    let start = vec![b' '; 2 * 1024 * 1024 + 1];
    for (path, said) in [("/whole", ""), ("/todos", "payload_too_large")] {
        let client = send(&shop, path, "Content-Length: 9000000", &start).await;
        let answer = rest(client).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains(said), "{answer}");
    }
    shop.tenant(A).get("/todos").await.json(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let (_database, shop) = serve().await;
    let body = json!({"title": "asked"}).to_string();
    let headers = format!("Content-Length: {}\r\nExpect: 100-continue", body.len());
    let mut client = send(&shop, "/todos", &headers, &[]).await;
    let mut told = [0; 25];
    client.read_exact(&mut told).await.unwrap();
    assert_eq!(told, *b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(body.as_bytes()).await.unwrap();
    let answer = rest(client).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    // Who is refused at the door is not told to send anything.
    let nobody = headers + "\r\nX-Tenant-ID: globex";
    let answer = rest(send(&shop, "/todos", &nobody, &[]).await).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_in_the_middle_takes_no_connection_with_it() {
    let (database, shop) = serve().await;
    for _ in 0..10 {
        drop(send(&shop, "/todos", "Content-Length: 20", b"{\"title\"").await);
    }
    shop.tenant(A).get("/todos").await.json(200);
    database.idle().await;
    // The last one is given back after its answer has been sent.
    let start = Instant::now();
    loop {
        let all = shop.tenancy.pool().unwrap();
        if all.idle == all.connections {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{all:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
