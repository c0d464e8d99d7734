//! While Redis is away, killed or silent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use integration::http::{Answer, Served};
use integration::servers::Redis;

use super::{A, app, counted_in, every, values};

/// No answer may take longer than Redis is waited for, and a little.
const PROMPT: Duration = Duration::from_secs(3);
/// How long it may take until requests are counted again.
const SOON: Duration = Duration::from_secs(10);

/// Answers gathered from several callers until `over`.
async fn load(served: &Served, over: &AtomicBool) -> Vec<Answer> {
    let one = async || {
        let mut answers = Vec::new();
        while !over.load(Ordering::SeqCst) {
            let sent = Instant::now();
            answers.push(served.tenant(A).get("/plain").await);
            assert!(sent.elapsed() < PROMPT, "{:?}", sent.elapsed());
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        answers
    };
    let all = join_all((0..4).map(|_| one())).await;
    all.into_iter().flatten().collect()
}

/// Asks until the answer is as it is when Redis counts.
async fn until_counted(served: &Served) {
    let start = Instant::now();
    while values(&served.tenant(A).get("/plain").await, "ratelimit").is_empty() {
        assert!(start.elapsed() < SOON, "not counted again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Kills Redis under load and starts it again; all answers to the load.
async fn killed_under_load(without: &str) -> Vec<Answer> {
    let mut redis = Redis::start().await;
    let url = redis.url();
    let vars = [every("1000000"), counted_in(&url, without)].concat();
    let served = Served::in_memory(app(), &vars).await;
    let over = AtomicBool::new(false);
    let (answers, ()) = tokio::join!(load(&served, &over), async {
        for _ in 0..2 {
            until_counted(&served).await;
            redis.kill();
            tokio::time::sleep(Duration::from_millis(700)).await;
            let settled = served.tenant(A).get("/plain").await;
            match without {
                "allow" => assert_eq!(settled.status, 200),
                _ => assert_eq!(settled.problem(503), "unavailable"),
            }
            assert!(values(&settled, "ratelimit").is_empty());
            // Routes without a limit do not notice.
            assert_eq!(served.nobody().get("/health").await.status, 200);
            redis.start_again().await;
        }
        until_counted(&served).await;
        over.store(true, Ordering::SeqCst);
    });
    let uncounted = answers
        .iter()
        .filter(|all| values(all, "ratelimit").is_empty());
    assert!(uncounted.count() > 20, "of {}", answers.len());
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_killed_and_requests_are_refused_until_it_is_back() {
    let answers = killed_under_load("refuse").await;
    for answer in &answers {
        if answer.status == 200 {
            assert!(
                !values(answer, "ratelimit").is_empty(),
                "let through uncounted"
            );
        } else {
            assert_eq!(answer.problem(503), "unavailable");
            assert_eq!(answer.headers["retry-after"], "1");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_killed_and_requests_are_let_through() {
    let answers = killed_under_load("allow").await;
    assert!(answers.iter().all(|answer| answer.status == 200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_falls_silent_holds_nobody_up() {
    let redis = Redis::start().await;
    let url = redis.url();
    for (without, status) in [("allow", 200), ("refuse", 503)] {
        let vars = [every("1000000"), counted_in(&url, without)].concat();
        let served = Served::in_memory(app(), &vars).await;
        until_counted(&served).await;
        redis.freeze();
        let start = Instant::now();
        for _ in 0..50 {
            let answer = served.tenant(A).get("/plain").await;
            assert_eq!(answer.status, status);
        }
        // One waits for it now and then, and not each of them.
        assert!(start.elapsed() < PROMPT, "{:?}", start.elapsed());
        redis.thaw();
        until_counted(&served).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_comes_after_the_start_counts_from_then_on() {
    let mut redis = Redis::start().await;
    redis.kill();
    let url = redis.url();
    let vars = [every("5"), counted_in(&url, "refuse")].concat();
    let served = Served::in_memory(app(), &vars).await;
    let refused = served.tenant(A).get("/plain").await;
    assert_eq!(refused.problem(503), "unavailable");
    redis.start_again().await;
    until_counted(&served).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_given_up_leave_the_connection_in_order() {
    let redis = Redis::start().await;
    let served = super::in_redis(app(), &redis, "1000000").await;
    for round in 0..200 {
        let caller = served.tenant(A);
        let given_up = caller.get("/plain");
        let _ = tokio::time::timeout(Duration::from_micros(round * 10), given_up).await;
    }
    // Each answer is that to its own question.
    for _ in 0..2 {
        assert_eq!(
            super::admitted(&super::at_once(&served, super::B, "/daily", 9).await),
            3
        );
        redis.command(&["FLUSHALL"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_refuses_the_login_counts_once_it_does_not() {
    let redis = Redis::start().await;
    let url = redis.url().replace("redis://", "redis://:word@");
    let vars = [every("1000000"), counted_in(&url, "refuse")].concat();
    // It has no password, and refuses one.
    let served = Served::in_memory(app(), &vars).await;
    for _ in 0..10 {
        let refused = served.tenant(A).get("/plain").await;
        assert_eq!(refused.problem(503), "unavailable");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    redis
        .command(&["CONFIG", "SET", "requirepass", "word"])
        .await;
    until_counted(&served).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_broken_is_the_trouble_of_its_tenant_only() {
    let redis = Redis::start().await;
    let served = super::in_redis(app(), &redis, "1000000").await;
    assert_eq!(served.tenant(A).get("/plain").await.status, 200);
    let key = redis.keys().await.concat();
    redis.command(&["SET", &key, "no hash"]).await;
    for _ in 0..20 {
        let refused = served.tenant(A).get("/plain").await;
        assert_eq!(refused.problem(503), "unavailable");
        let other = served.tenant(super::B).get("/plain").await;
        assert_eq!(values(&other, "ratelimit").len(), 1, "{other:?}");
    }
    redis.command(&["DEL", &key]).await;
    assert_eq!(served.tenant(A).get("/plain").await.status, 200);
}
