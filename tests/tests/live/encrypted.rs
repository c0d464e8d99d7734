//! Events and limits by a Redis of a `rediss://` URL, and by none whose certificate is
//! wrong. Applications are processes of their own here, since who may certify is said
//! by the environment.

use std::time::Duration;

use integration::database::Database;
use integration::http::Site;
use integration::servers::Redis;

use super::processes::Process;
use super::{A, Client};
use crate::tls::authority;

/// Time enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// An application that knows the Redis by `host`, and who may certify or not.
async fn start(database: &Database, redis: &Redis, host: &str, knows: bool) -> Process {
    let (url, authority) = (redis.encrypted_url(host), authority());
    let mut vars = vec![
        ("TENANCY_REDIS_URL", &*url),
        ("TENANCY_ENABLE_RATE_LIMITING", "true"),
        ("TENANCY_RATE_LIMIT_PER_MINUTE", "100000"),
        ("TENANCY_RATE_LIMIT_WITHOUT_REDIS", "refuse"),
    ];
    vars.extend(knows.then_some(("SSL_CERT_FILE", &*authority)));
    Process::start(database, &vars).await
}

/// How many requests the tenant has left.
async fn left(site: &Site) -> u32 {
    let answer = site.tenant(A).get("/me").await;
    let told = answer.headers["ratelimit"].to_str().expect("text");
    let left = told.split(';').find_map(|part| part.strip_prefix("r="));
    left.expect("a count").parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_and_events_go_by_a_redis_with_tls() {
    let database = Database::empty().await;
    let redis = Redis::start_encrypted().await;
    let here = start(&database, &redis, "localhost", true).await;
    let there = start(&database, &redis, "localhost", true).await;
    let before = left(&here.site).await;
    assert_eq!(left(&there.site).await, before - 1, "one count for both");
    let mut client = Client::open(there.site.address, A, "/live").await;
    let heard = tokio::time::timeout(PATIENCE, async {
        loop {
            here.say(A, "hello".into()).await;
            let next = tokio::time::timeout(Duration::from_millis(500), client.message());
            if let Ok(next) = next.await {
                return next.expect("an open socket");
            }
        }
    });
    assert_eq!(heard.await.expect("in time")["data"], "hello");
    // It came over TLS: nobody was told of the other port.
    assert!(!redis.keys().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_not_certified_is_not_connected_to() {
    let database = Database::empty().await;
    let redis = Redis::start_encrypted().await;
    // One with another's name, and one that nobody here vouches for.
    for (host, knows) in [("127.0.0.1", true), ("localhost", false)] {
        let app = start(&database, &redis, host, knows).await;
        for _ in 0..3 {
            let refused = app.site.tenant(A).get("/me").await;
            assert_eq!(refused.problem(503), "unavailable", "{host}");
        }
        assert_eq!(redis.keys().await, [""; 0], "{host}");
    }
    // The twin: it is the certificate that they stumble on.
    let app = start(&database, &redis, "localhost", true).await;
    let counted = tokio::time::timeout(PATIENCE, async {
        while app.site.tenant(A).get("/me").await.status != 200 {}
    });
    counted.await.expect("in time");
    assert!(!redis.keys().await.is_empty());
}
