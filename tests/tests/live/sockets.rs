//! What a WebSocket does, and how it says good-bye.

use std::time::Duration;

use futures_util::SinkExt as _;
use integration::database::Database;
use integration::http::Served;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::Message;

use super::{A, Client, app, events_of, until_heard};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_to_end_has_its_code() {
    let database = Database::empty().await;
    let served = Served::start(app(), &database, &[]).await;
    for (said, code, reason) in [
        ("\"panic\"", 1_011, "internal"),
        ("\"fail\"", 1_011, "internal"),
        ("\"away\"", 1_013, "unavailable"),
        ("{}", 1_007, "invalid_input"),
        ("no JSON", 1_007, "invalid_input"),
    ] {
        let mut client = Client::open(served.site.address, A, "/orders").await;
        client.say("\"count\"").await;
        assert_eq!(client.next().await["todos"], 0);
        client.say(said).await;
        let (end, took) = client.end().await;
        assert_eq!(end, Some((code, reason.to_owned())), "{said}");
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
    let mut client = Client::open(served.site.address, A, "/strict").await;
    client.say(&"x".repeat(1_001)).await;
    let long = client.end().await.0;
    assert_eq!(long, Some((1_009, "payload_too_large".to_owned())));
    // All that was sent before it comes before it.
    let mut client = Client::open(served.site.address, A, "/short").await;
    for number in 0..100 {
        assert_eq!(client.next().await, number);
    }
    assert_eq!(client.end().await.0, Some((4_001, "enough".to_owned())));
    // The application goes on.
    assert_eq!(served.tenant(A).get("/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_goes_is_answered_and_one_that_is_gone_is_noticed() {
    let database = Database::empty().await;
    let served = Served::start(app(), &database, &[]).await;
    let events = events_of(&served, A).await;
    let mut client = Client::open(served.site.address, A, "/live").await;
    until_heard(&events, &mut client).await;
    client.0.close(None).await.expect("closed");
    let (end, took) = client.end().await;
    assert!(took < Duration::from_secs(2), "{took:?} {end:?}");
    // One that reads answers pings, for as long as it likes.
    let mut client = Client::open(served.site.address, A, "/pings").await;
    until_heard(&events, &mut client).await;
    let quiet = tokio::time::timeout(Duration::from_secs(4), client.message()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    events.publish("said", &"there").await.expect("published");
    assert_eq!(client.next().await["data"], "there");
    // The twin: one that does not is given up.
    let mut silent = Client::open(served.site.address, A, "/pings").await;
    until_heard(&events, &mut silent).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let gone = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            if silent.0.send(Message::text("\"?\"")).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    gone.await.expect("given up");
    // Nor does one that is cut off leave anything behind.
    let cut = Client::open(served.site.address, A, "/live").await;
    let tokio_tungstenite::MaybeTlsStream::Plain(mut plain) = cut.0.into_inner() else {
        panic!("no TLS was asked for");
    };
    plain.shutdown().await.expect("cut off");
    assert_eq!(served.tenant(A).get("/me").await.status, 200);
}
