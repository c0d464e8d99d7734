//! What those cost who do not read, and who have nothing to hear.

use std::time::{Duration, Instant};

use integration::database::Database;
use integration::http::Served;
use tenancy::events::{Delivery, Overflow};

use super::{A, B, Client, app, events_of, heard, until_heard};

/// What lies for one subscriber at the most, and what waits to be sent to other
/// processes.
const MOST: usize = (1 + 8) * 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_reads_does_not_grow_memory_and_is_told_how_much_is_gone() {
    let database = Database::empty().await;
    let served = Served::start(app(), &database, &[]).await;
    let events = events_of(&served, A).await;
    let of_all = served.tenancy.events();
    let mut lazy = events.subscribe().await;
    let mut strict = events.subscribe_with(Overflow::Close).await;
    let (count, text) = (8_000_u64, "x".repeat(2_000));
    for number in 0..count {
        events
            .publish("n", &(number, &text))
            .await
            .expect("published");
        assert!(of_all.kept_bytes() <= MOST, "{}", of_all.kept_bytes());
    }
    let Some(Delivery::Missed { count: Some(gone) }) = lazy.next().await else {
        panic!("nothing was missed");
    };
    for number in gone..count {
        let Some(Delivery::Event(event)) = lazy.next().await else {
            panic!("{number} is not there");
        };
        let (heard, _) = event.data::<(u64, String)>().expect("JSON");
        assert_eq!(heard, number);
    }
    assert!(strict.next().await.is_none());
    assert_eq!(heard(&mut strict).await["ended"], "Some(Overflow)");
    let start = Instant::now();
    while of_all.kept_bytes() > 0 {
        assert!(start.elapsed() < Duration::from_secs(10), "kept for nobody");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The twin: who reads misses nothing of as many.
    for number in 0..count {
        events.publish("n", &number).await.expect("published");
        assert_eq!(heard(&mut lazy).await, number);
    }
    drop((lazy, strict));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_does_not_read_is_closed_and_holds_up_nobody() {
    let database = Database::empty().await;
    let served = Served::start(app(), &database, &[]).await;
    let events = events_of(&served, A).await;
    let mut silent = Client::open(served.site.address, A, "/strict").await;
    let mut other = Client::open(served.site.address, A, "/live").await;
    until_heard(&events, &mut silent).await;
    until_heard(&events, &mut other).await;
    let text = "x".repeat(10_000);
    let start = Instant::now();
    // More than the buffers of both ends take, and than lies in the queue.
    for number in 0..3_000 {
        events
            .publish("n", &(number, &text))
            .await
            .expect("published");
        let next = loop {
            let next = other.next().await;
            if next["kind"] == "n" {
                break next;
            }
        };
        assert_eq!(next["data"][0], number);
    }
    assert!(start.elapsed() < Duration::from_secs(20));
    // It asked for all or nothing: when it reads, what lies there ends with that.
    let (end, _) = silent.end().await;
    assert_eq!(end, Some((1_013, "too_slow".to_owned())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_has_so_many_sockets_and_streams_and_no_more() {
    let database = Database::empty().await;
    let vars = [("TENANCY_STREAMS_PER_TENANT", "3")];
    let served = Served::start(app(), &database, &vars).await;
    let address = served.site.address;
    let open = async |tenant| Client::try_open(address, tenant, "/live", None).await;
    // Two sockets and a stream.
    let mut clients = vec![
        Client::open(address, A, "/live").await,
        Client::open(address, A, "/orders").await,
    ];
    let url = format!("http://{address}/events");
    let stream = reqwest::Client::new().get(url).header("x-tenant-id", A);
    let stream = stream.send().await.expect("a stream");
    assert_eq!(stream.status(), 200);
    let refused = served.tenant(A).get("/events").await;
    assert_eq!(refused.problem(503), "unavailable");
    assert_eq!(open(A).await.err(), Some(503));
    // Another tenant has its own, and the others hear what there is.
    let other = open(B).await.expect("open");
    until_heard(&events_of(&served, A).await, &mut clients[0]).await;
    // The twin: it is those that are open that count.
    drop((stream, other));
    let start = Instant::now();
    while open(A).await.is_err() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "never given back"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(clients.pop());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_is_idle_holds_no_connection() {
    let database = Database::empty().await;
    let vars = [("TENANCY_POOL_SIZE", "1"), ("TENANCY_POOL_TIMEOUT", "1")];
    let served = Served::start(app(), &database, &vars).await;
    let events = events_of(&served, A).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(Client::open(served.site.address, A, "/orders").await);
    }
    let last = clients.last_mut().expect("twenty");
    until_heard(&events, last).await;
    // All of them share the one connection.
    for client in &mut clients {
        client.say("\"count\"").await;
        loop {
            let answer = client.next().await;
            if answer["kind"].is_null() {
                assert_eq!(answer["todos"], 0);
                break;
            }
        }
    }
    assert_eq!(served.tenant(B).get("/todos").await.status, 200);
    // The twin: one that holds it leaves none for others.
    clients[0].say("\"hold\"").await;
    let start = Instant::now();
    while served.tenant(B).get("/todos").await.status != 503 {
        assert!(start.elapsed() < Duration::from_secs(10), "never held");
    }
    drop(clients);
    while served.tenant(B).get("/todos").await.status != 200 {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "never given back"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_events_a_second_reach_another_process() {
    let database = Database::empty().await;
    let one = Served::start(app(), &database, &[]).await;
    let other = Served::start(app(), &database, &[]).await;
    let mut subscription = events_of(&other, A).await.subscribe().await;
    let events = events_of(&one, A).await;
    let (count, start) = (20_000_u64, Instant::now());
    let publish = async {
        for number in 0..count {
            events.publish("n", &number).await.expect("published");
        }
        start.elapsed()
    };
    let listen = async {
        let (mut arrived, mut missed) = (0, 0);
        while arrived + missed < count {
            match subscription.next().await {
                Some(Delivery::Event(_)) => arrived += 1,
                Some(Delivery::Missed { count: Some(count) }) => missed += count,
                other => panic!("{other:?}"),
            }
        }
        (arrived, missed)
    };
    let (published, (arrived, missed)) = tokio::join!(publish, listen);
    let took = start.elapsed();
    eprintln!("{count} events: published in {published:?}, there after {took:?}, {missed} missed");
    assert_eq!(arrived + missed, count);
    // Half of what is meant: this is no benchmark, and the machine is busy.
    assert!(took < Duration::from_secs(8), "{took:?}");
}
