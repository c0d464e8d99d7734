//! Server-sent events, byte by byte.

use std::time::Duration;

use integration::database::Database;
use integration::http::Served;
use serde_json::json;

use super::{A, app, events_of};

/// What comes until it contains `word`.
async fn until(stream: &mut reqwest::Response, word: &str) -> String {
    let mut text = String::new();
    while !text.contains(word) {
        let chunk = tokio::time::timeout(Duration::from_secs(10), stream.chunk());
        let chunk = chunk.await.unwrap_or_else(|_| panic!("only {text}"));
        let chunk = chunk.expect("a stream").expect("more");
        text.push_str(std::str::from_utf8(&chunk).expect("text"));
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_has_ids_kinds_and_a_word_for_what_is_missing() {
    let database = Database::empty().await;
    let served = Served::start(app(), &database, &[]).await;
    let open = async |last: Option<&str>| {
        let url = format!("http://{}/events", served.site.address);
        let mut request = reqwest::Client::new().get(url).header("x-tenant-id", A);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        request.send().await.expect("a stream")
    };
    let mut stream = open(None).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert_eq!(stream.headers()["cache-control"], "no-cache");
    assert_eq!(stream.headers()["x-accel-buffering"], "no");
    until(&mut stream, "\n\n").await;
    let events = events_of(&served, A).await;
    let said = json!({ "text": "two\nlines" });
    events
        .publish("note.added", &said)
        .await
        .expect("published");
    let text = until(&mut stream, "\n\n").await;
    let lines: Vec<&str> = text.trim_matches('\n').lines().collect();
    let value = |name: &str| {
        let line = lines.iter().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    assert_eq!(value("event: "), "note.added");
    let data: serde_json::Value = serde_json::from_str(value("data: ")).expect("JSON");
    assert_eq!(data, said);
    let id = value("id: ");
    assert_eq!(
        uuid::Uuid::try_parse(id).expect("an id").get_version_num(),
        7
    );
    drop(stream);
    // Who comes back has missed what came meanwhile, and is told.
    let mut stream = open(Some(id)).await;
    let text = until(&mut stream, "missed").await;
    let more = if text.contains("count") {
        text
    } else {
        text + &until(&mut stream, "count").await
    };
    assert!(
        more.contains("event: missed\ndata: {\"count\":null}"),
        "{more}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_whose_streams_end_together_come_back_one_after_the_other() {
    let database = Database::empty().await;
    let served = Served::start(app(), &database, &[]).await;
    let url = format!("http://{}/events", served.site.address);
    let mut times = Vec::new();
    for _ in 0..8 {
        let stream = reqwest::Client::new().get(&url).header("x-tenant-id", A);
        let mut stream = stream.send().await.expect("a stream");
        let first = until(&mut stream, "\n\n").await;
        let told = first.lines().find_map(|line| line.strip_prefix("retry: "));
        times.push(told.expect("a time").parse::<u32>().expect("milliseconds"));
    }
    assert!(
        times.iter().all(|time| (1_000..=3_000).contains(time)),
        "{times:?}"
    );
    times.sort_unstable();
    times.dedup();
    assert!(times.len() > 4, "{times:?}");
}
