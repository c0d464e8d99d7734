//! How what streams ends: with its tenant's suspension, in time, and with a code.

use std::time::{Duration, Instant};

use integration::database::Database;
use integration::http::Served;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{A, B, Client, LATE, app, events_of, heard, slug, until_heard};

/// The bound where changes are told, and where they are not.
const TOLD: Duration = Duration::from_millis(100);
const UNTOLD: Duration = Duration::from_secs(2);

async fn suspension_ends(vars: &[(&str, &str)], bound: Duration, listening: bool) {
    let database = Database::empty().await;
    let one = Served::start(app(), &database, vars).await;
    let other = Served::start(app(), &database, vars).await;
    if listening {
        database.listening(2).await;
    }
    let events = events_of(&other, A).await;
    let mut subscription = events.subscribe().await;
    let mut socket = Client::open(other.site.address, A, "/live").await;
    let mut hanging = Client::open(other.site.address, A, "/orders").await;
    let mut of_b = Client::open(other.site.address, B, "/live").await;
    until_heard(&events, &mut socket).await;
    until_heard(&events_of(&other, B).await, &mut of_b).await;
    hanging.say("\"hold\"").await;
    let mut stream = TcpStream::connect(other.site.address).await.expect("open");
    let request = format!("GET /events HTTP/1.1\r\nHost: x\r\nX-Tenant-ID: {A}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    tokio::time::sleep(Duration::from_millis(300)).await;

    one.tenancy
        .provisioner()
        .suspend(&slug(A))
        .await
        .expect("suspended");
    let start = Instant::now();
    let streamed = async {
        let mut received = Vec::new();
        let ended = stream.read_to_end(&mut received);
        let ended = tokio::time::timeout(bound + LATE, ended).await;
        ended.expect("an end").ok();
        (received, start.elapsed())
    };
    let subscribed = async { while subscription.next().await.is_some() {} };
    let ((end, took), (held, _), (received, after), ()) =
        tokio::join!(socket.end(), hanging.end(), streamed, subscribed);
    let inactive = Some((1_008, "tenant_inactive".to_owned()));
    assert_eq!((end, held), (inactive.clone(), inactive));
    assert_eq!(heard(&mut subscription).await["ended"], "Some(Revoked)");
    assert!(took < bound + LATE, "{took:?}");
    assert!(!received.ends_with(b"0\r\n\r\n"), "it looks complete");
    eprintln!("a socket ended after {took:?}, a stream after {after:?}");
    // What was held by a handler is free, and nobody is let in again.
    let again = Client::try_open(other.site.address, A, "/live", None).await;
    assert_eq!(again.err(), Some(403));
    // The twin: another tenant's goes on.
    let events = events_of(&other, B).await;
    events.publish("said", &"still").await.expect("published");
    assert_eq!(of_b.next().await["data"], "still");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspension_ends_sockets_and_streams_of_its_tenant() {
    suspension_ends(&[], TOLD, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspension_that_nobody_tells_of_ends_them_within_the_bound() {
    suspension_ends(&[("TENANCY_PREPARED_STATEMENTS", "false")], UNTOLD, false).await;
}

/// An outage is no suspension: who is told to come again does, and who is refused by
/// policy does not. The twins are above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_ends_sockets_with_the_word_to_try_again() {
    let database = Database::empty().await;
    let vars = [
        ("TENANCY_POOL_TIMEOUT", "0.5"),
        ("TENANCY_CACHE_OUTAGE_LIMIT", "2"),
    ];
    let served = Served::start(app(), &database, &vars).await;
    database.listening(1).await;
    let events = events_of(&served, A).await;
    let mut subscription = events.subscribe().await;
    let mut socket = Client::open(served.site.address, A, "/live").await;
    let mut orders = Client::open(served.site.address, A, "/orders").await;
    until_heard(&events, &mut socket).await;
    // The registry does not answer, and what is remembered is to be looked up anew.
    let holder = database.raw_superuser().await;
    let lock = "BEGIN; LOCK TABLE tenancy.tenants IN ACCESS EXCLUSIVE MODE";
    holder.batch_execute(lock).await.expect("locked");
    let forget = database
        .superuser
        .batch_execute("NOTIFY tenancy_tenants, ''");
    forget.await.expect("told");
    let subscribed = async { while subscription.next().await.is_some() {} };
    let ((end, _), (held, _), ()) = tokio::join!(socket.end(), orders.end(), subscribed);
    let away = Some((1_013, "unavailable".to_owned()));
    assert_eq!((end, held), (away.clone(), away));
    assert_eq!(heard(&mut subscription).await["ended"], "Some(Unknown)");
    holder.batch_execute("COMMIT").await.expect("free again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rename_ends_what_came_by_the_old_name() {
    let database = Database::empty().await;
    let served = Served::start(app(), &database, &[]).await;
    let mut socket = Client::open(served.site.address, A, "/live").await;
    let renamed = served.tenancy.provisioner();
    renamed
        .rename(&slug(A), &slug("initech"))
        .await
        .expect("renamed");
    assert_eq!(socket.end().await.0.expect("a code").0, 1_008);
    // Its events are its own as before.
    let mut socket = Client::open(served.site.address, "initech", "/live").await;
    until_heard(&events_of(&served, "initech").await, &mut socket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_does_not_read_gets_nothing_of_what_comes_after() {
    let database = Database::empty().await;
    let served = Served::start(app(), &database, &[]).await;
    let of_all = served.tenancy.events();
    let text = "x".repeat(10_000);
    // Opens a stream, and publishes until both ends' buffers are full.
    let fill = async |tenant: &str, kept: usize| {
        let mut stream = TcpStream::connect(served.site.address).await.expect("open");
        let request = format!("GET /events HTTP/1.1\r\nHost: x\r\nX-Tenant-ID: {tenant}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        received(&mut stream, "retry: ").await;
        let events = events_of(&served, tenant).await;
        let start = Instant::now();
        while of_all.kept_bytes() < kept {
            assert!(start.elapsed() < Duration::from_secs(30), "never full");
            while of_all.kept_bytes() < kept {
                events.publish("before", &text).await.expect("published");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // Perhaps it was only slow.
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        (stream, events)
    };
    let (mut of_a, events) = fill(A, 900_000).await;
    let (mut of_b, others) = fill(B, 1_900_000).await;
    let provisioner = served.tenancy.provisioner();
    provisioner.suspend(&slug(A)).await.expect("suspended");
    tokio::time::sleep(TOLD + Duration::from_millis(200)).await;
    for events in [events, others] {
        events.publish("after", &1).await.expect("published");
    }
    let mut all = Vec::new();
    let ended = of_a.read_to_end(&mut all);
    let ended = tokio::time::timeout(Duration::from_secs(10), ended).await;
    ended.expect("an end").ok();
    let all = String::from_utf8_lossy(&all);
    assert!(all.contains("event: before") && !all.contains("event: after"));
    assert!(!all.ends_with("0\r\n\r\n"), "it looks complete");
    // The twin: a tenant that is not suspended gets the same.
    received(&mut of_b, "event: after").await;
}

/// Reads until it contains `word`.
async fn received(stream: &mut TcpStream, word: &str) {
    let (mut text, mut more) = (String::new(), vec![0; 65_536]);
    while !text.contains(word) {
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut more));
        let read = read.await.expect("more").expect("a stream");
        assert!(read > 0, "it has ended");
        // Of what was read before, only an end may be the beginning of the word.
        let rest = text.len().saturating_sub(word.len());
        text = text.split_off(rest) + &String::from_utf8_lossy(&more[..read]);
    }
}
