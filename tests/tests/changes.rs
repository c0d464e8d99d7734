//! Tenants from memory, and changes that other processes make: in force
//! everywhere within the bound, with notification and without.

use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use futures_util::stream;
use integration::database::Database;
use integration::http::{Served, start};
use integration::servers::Postgres;
use integration::wire::Wire;
use serde_json::json;
use tenancy::admit::Revocation;
use tenancy::jobs::JobError;
use tenancy::prelude::*;
use tenancy::tenant::Slug;
use tenancy::{Isolation, Strategy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::shop;

const A: &str = "acme-corp";
const B: &str = "globex";

/// The bound without notification; what the machine is late by comes on top.
const BOUND: Duration = Duration::from_secs(2);
const LATE: Duration = Duration::from_millis(1_500);

/// When a process at the latest finds out that nobody tells it of changes.
const PROVEN_ANEW: Duration = Duration::from_secs(7);

/// A line every 50 milliseconds, for ever.
#[tenant_handler(get, "/ticks")]
async fn ticks(_: Tenant) -> Body {
    Body::from_stream(stream::unfold((), async |()| {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Some((Ok::<_, Error>(Bytes::from_static(b"tick\n")), ()))
    }))
}

/// Answers when the tenant may be served no longer.
#[tenant_handler(get, "/watch")]
async fn watch(revocation: Revocation) -> &'static str {
    revocation.revoked().await;
    "revoked"
}

fn app() -> App {
    shop::app(Isolation::single(Strategy::Rls))
        .route::<ticks>()
        .route::<watch>()
        .seed(A)
        .seed(B)
}

fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}

/// Waits until a tenant is answered with this status; how long that took.
async fn until(shop: &Served, tenant: &str, status: u16) -> Duration {
    let start = Instant::now();
    while shop.tenant(tenant).get("/me").await.status != status {
        assert!(start.elapsed() < BOUND * 5, "never {status}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_is_looked_up_once_and_its_suspension_is_heard_of_everywhere() {
    let database = Database::empty().await;
    let one = Served::start(app(), &database, &[]).await;
    let wire = Wire::to(format!("127.0.0.1:{}", database.app.get_ports()[0])).await;
    let port = |url: String, to: u16| {
        url.replace(
            &format!(":{}/", database.app.get_ports()[0]),
            &format!(":{to}/"),
        )
    };
    let through = port(database.app_url(), wire.port);
    let vars = [
        ("TENANCY_DATABASE_URL", &*through),
        ("TENANCY_CACHE_SIZE", "100"),
    ];
    let other = Served::start(app(), &database, &vars).await;
    database.listening(2).await;

    until(&other, A, 200).await;
    let cost = async |path: &'static str| {
        // What keeps the connection that listens counts as well, three times a
        // second: the cheapest of several tries is free of it.
        let mut least = usize::MAX;
        for _ in 0..10 {
            wire.take();
            other.tenant(A).get(path).await.json(200);
            least = least.min(wire.take());
        }
        least
    };
    assert_eq!(cost("/me").await, 0, "from memory");
    assert_eq!(cost("/todos").await, 1, "the statement and nothing else");

    let provisioner = one.tenancy.provisioner();
    for _ in 0..3 {
        provisioner.suspend(&slug(A)).await.unwrap();
        assert_eq!(one.tenant(A).get("/me").await.status, 403, "at once");
        let took = until(&other, A, 403).await;
        // Half of what it takes where nobody tells.
        assert!(took < Duration::from_millis(500), "{took:?}");
        eprintln!("a suspension was in force after {took:?}");
        provisioner.activate(&slug(A)).await.unwrap();
        until(&other, A, 200).await;
    }
    // A name that nobody had is not remembered when somebody gets it, nor is the
    // old name of a tenant that is renamed.
    assert_eq!(other.tenant("initech").get("/me").await.status, 400);
    provisioner
        .rename(&slug(A), &slug("initech"))
        .await
        .unwrap();
    assert!(until(&other, "initech", 200).await < LATE);
    assert!(until(&other, A, 400).await < LATE);

    // The twin: untold, it goes on serving for longer than the bound.
    let mute = "CREATE OR REPLACE FUNCTION tenancy.announce() RETURNS trigger LANGUAGE plpgsql \
         AS 'BEGIN RETURN NULL; END'";
    database.sabotage(mute).await;
    until(&other, B, 200).await;
    provisioner.suspend(&slug(B)).await.unwrap();
    tokio::time::sleep(BOUND + LATE).await;
    assert_eq!(other.tenant(B).get("/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_told_nothing_any_more_notices() {
    let database = Database::empty().await;
    let one = Served::start(app(), &database, &[]).await;
    let other = Served::start(app(), &database, &[]).await;
    database.listening(2).await;
    until(&other, B, 200).await;
    let mute = "ALTER TABLE tenancy.tenants DISABLE TRIGGER announce";
    database.sabotage(mute).await;
    let provisioner = one.tenancy.provisioner();
    provisioner.suspend(&slug(B)).await.unwrap();
    // Its connection answers as before; what it sends itself does not come back.
    let took = until(&other, B, 403).await;
    assert!(took < PROVEN_ANEW + BOUND + LATE, "{took:?}");
    // From then on it believes nothing for long, nor does one that starts now.
    let late = Served::start(app(), &database, &[]).await;
    assert_eq!(late.tenant(B).get("/me").await.status, 403);
    provisioner.activate(&slug(B)).await.unwrap();
    for process in [&other, &late] {
        assert!(until(process, B, 200).await < BOUND + LATE);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_are_looked_up_while_requests_have_all_connections() {
    let database = Database::empty().await;
    let vars = [("TENANCY_POOL_SIZE", "1"), ("TENANCY_POOL_TIMEOUT", "0.5")];
    let shop = Served::start(app(), &database, &vars).await;
    let busy = shop.tenant(A);
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        // Not remembered before.
        assert_eq!(shop.tenant(B).get("/me").await.status, 200);
        assert_eq!(shop.tenant("nobody").get("/me").await.status, 400);
        // The twin: the data is behind the connection that is in use.
        assert_eq!(shop.tenant(B).get("/todos").await.status, 503);
    };
    let (held, ()) = tokio::join!(busy.get("/hold/2000"), meanwhile);
    assert_eq!(held.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspension_is_in_force_within_the_bound_when_notifications_are_cut() {
    let database = Database::empty().await;
    let one = Served::start(app(), &database, &[]).await;
    let other = Served::start(app(), &database, &[]).await;
    database.listening(2).await;
    until(&other, A, 200).await;
    let superuser = database.raw_superuser().await;
    let cutting = tokio::spawn(async move {
        loop {
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE application_name = 'tenancy changes' AND datname = current_database()";
            superuser.batch_execute(cut).await.expect("a superuser");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let provisioner = one.tenancy.provisioner();
    for _ in 0..2 {
        provisioner.suspend(&slug(A)).await.unwrap();
        let took = until(&other, A, 403).await;
        assert!(took < BOUND + LATE, "{took:?}");
        eprintln!("cut off, a suspension was in force after {took:?}");
        provisioner.activate(&slug(A)).await.unwrap();
        let took = until(&other, A, 200).await;
        assert!(took < BOUND + LATE, "{took:?}");
    }
    cutting.abort();
    // It listens again by itself.
    database.listening(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_streams_ends_with_the_suspension_and_no_other_does() {
    let database = Database::empty().await;
    let one = Served::start(app(), &database, &[]).await;
    let other = Served::start(app(), &database, &[]).await;
    database.listening(2).await;
    let open = async |tenant: &str| {
        let mut stream = TcpStream::connect(other.site.address).await.unwrap();
        let request = format!("GET /ticks HTTP/1.1\r\nHost: x\r\nX-Tenant-ID: {tenant}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    };
    let (mut of_a, mut of_b) = (open(A).await, open(B).await);
    let watcher = other.tenant(A);
    let watching = watcher.get("/watch");
    let suspend = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let provisioner = one.tenancy.provisioner();
        provisioner.suspend(&slug(A)).await.unwrap();
        let start = Instant::now();
        let mut received = Vec::new();
        let ended = of_a.read_to_end(&mut received);
        tokio::time::timeout(BOUND + LATE, ended)
            .await
            .expect("it ends")
            .ok();
        eprintln!("a stream ended after {:?}", start.elapsed());
        received
    };
    let (watched, received) = tokio::join!(watching, suspend);
    assert_eq!(watched.text(), "revoked");
    let received = String::from_utf8(received).unwrap();
    assert!(received.contains("tick"), "{received}");
    assert!(
        !received.ends_with("0\r\n\r\n"),
        "it does not look complete"
    );
    // The twin: what is another tenant's goes on.
    let mut more = vec![0; 4_096];
    for _ in 0..10 {
        let read = of_b.read(&mut more);
        let read = tokio::time::timeout(LATE, read)
            .await
            .expect("more")
            .unwrap();
        assert!(read > 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_registry_is_away_who_was_active_is_served_up_to_the_limit() {
    let mut postgres = Postgres::start().await;
    let database = Database::empty_on(&postgres.url()).await;
    let vars = [
        ("TENANCY_CACHE_OUTAGE_LIMIT", "3"),
        ("TENANCY_POOL_TIMEOUT", "0.6"),
    ];
    let shop = Served::start(app(), &database, &vars).await;
    let none = [vars[1], ("TENANCY_CACHE_OUTAGE_LIMIT", "0")];
    let strict = Served::start(app(), &database, &none).await;
    let provisioner = shop.tenancy.provisioner();
    provisioner.suspend(&slug(B)).await.unwrap();
    until(&shop, A, 200).await;
    until(&strict, A, 200).await;
    assert_eq!(shop.tenant(B).get("/me").await.status, 403);
    postgres.kill();
    let start = Instant::now();
    let me = shop.tenant(A).get("/me").await;
    assert_eq!(
        me.json(200),
        json!({"tenant": A, "isolation_strategy": "rls"})
    );
    while shop.tenant(A).get("/me").await.status == 200 {
        assert!(start.elapsed() < Duration::from_secs(3) + LATE, "no limit");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(start.elapsed() > Duration::from_millis(1_500));
    assert_eq!(shop.tenant(A).get("/me").await.problem(503), "unavailable");
    // Nobody else is let in meanwhile, and without the limit nobody is.
    for (shop, tenant) in [(&shop, "nobody"), (&shop, B), (&strict, A)] {
        assert_ne!(shop.tenant(tenant).get("/me").await.status, 200, "{tenant}");
    }
    postgres.start_again().await;
    until(&shop, A, 200).await;
    until(&strict, A, 200).await;
}

/// Where nobody can say whether a tenant may be served, that is no suspension: what
/// streams and what works for it waits for the answer, as long as an outage may last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_knows_ends_nothing_before_the_limit() {
    let database = Database::empty().await;
    let patience = ("TENANCY_POOL_TIMEOUT", "0.5");
    let shop = Served::start(app(), &database, &[patience]).await;
    let limit = ("TENANCY_CACHE_OUTAGE_LIMIT", "3");
    let short = Served::start(app(), &database, &[patience, limit]).await;
    database.listening(2).await;
    let open = async |shop: &Served| {
        let mut stream = TcpStream::connect(shop.site.address).await.unwrap();
        let request = format!("GET /ticks HTTP/1.1\r\nHost: x\r\nX-Tenant-ID: {A}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    };
    let (mut stream, mut limited) = (open(&shop).await, open(&short).await);
    let (_, db) = shop.tenancy.tenant(&slug(A)).await.unwrap();
    let (begun, mut begins) = tokio::sync::mpsc::channel(2);
    let hand_in = || {
        let begun = begun.clone();
        let job = db.spawn(async move |_| {
            begun.send(()).await.map_err(Error::internal)?;
            std::future::pending::<Result<()>>().await
        });
        job.unwrap()
    };
    let mut runs = hand_in();
    begins.recv().await.unwrap();

    // The registry does not answer, and what is remembered is to be looked up anew.
    let lock = "BEGIN; LOCK TABLE tenancy.tenants IN ACCESS EXCLUSIVE MODE";
    let holder = database.raw_superuser().await;
    let forget = "NOTIFY tenancy_tenants, ''";
    holder.batch_execute(lock).await.unwrap();
    database.superuser.batch_execute(forget).await.unwrap();
    let start = Instant::now();
    while shop.tenant(A).get("/me").await.status != 503 {
        assert!(start.elapsed() < BOUND, "it is served");
    }
    let mut waits = hand_in();
    let mut received = Vec::new();
    let ended = limited.read_to_end(&mut received);
    let ended = tokio::time::timeout(Duration::from_secs(10), ended).await;
    assert!(ended.is_ok(), "no limit");
    let took = start.elapsed();
    assert!(took > Duration::from_secs(2), "{took:?}");
    // Meanwhile nothing is shown, and nothing has ended.
    let mut shown = [0; 4_096];
    let mut quiet = async |longest| {
        let read = tokio::time::timeout(longest, stream.read(&mut shown)).await;
        read.map_or(None, |read| Some(read.unwrap()))
    };
    while let Some(read) = quiet(LATE).await {
        assert!(read > 0, "it has ended");
        assert!(start.elapsed() < Duration::from_secs(15), "it is shown");
    }
    for job in [&mut runs, &mut waits] {
        let ended = tokio::time::timeout(Duration::from_millis(100), job).await;
        assert!(ended.is_err(), "{ended:?}");
    }
    assert!(begins.try_recv().is_err(), "it has begun");
    holder.batch_execute("COMMIT").await.unwrap();
    let read = quiet(Duration::from_secs(10)).await;
    assert!(read.is_some_and(|read| read > 0), "{read:?}");
    begins.recv().await.expect("it begins");

    // The twin: who is suspended meanwhile is cut off when that is known.
    holder.batch_execute(lock).await.unwrap();
    database.superuser.batch_execute(forget).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let suspend = format!("UPDATE tenancy.tenants SET status = 'suspended' WHERE slug = '{A}'");
    let suspend = format!("{suspend}; COMMIT");
    holder.batch_execute(&suspend).await.unwrap();
    for job in [runs, waits] {
        let ended = tokio::time::timeout(Duration::from_secs(10), job).await;
        assert!(matches!(ended, Ok(Err(JobError::Revoked))), "{ended:?}");
    }
    let ended = stream.read_to_end(&mut received);
    let ended = tokio::time::timeout(Duration::from_secs(10), ended).await;
    assert!(ended.is_ok(), "it streams");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_memory_each_request_asks() {
    let database = Database::empty().await;
    let one = Served::start(app(), &database, &[]).await;
    let off = [("TENANCY_CACHE_ENABLED", "false")];
    let other = start(app(), &database, integration::http::Login::Both, &off).await;
    let other = other.unwrap();
    database.listening(1).await;
    for _ in 0..3 {
        one.tenancy.provisioner().suspend(&slug(A)).await.unwrap();
        assert_eq!(other.tenant(A).get("/me").await.status, 403);
        one.tenancy.provisioner().activate(&slug(A)).await.unwrap();
        assert_eq!(other.tenant(A).get("/me").await.status, 200);
    }
}
