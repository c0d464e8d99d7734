//! Exactly as many as the limit says, however they come.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use integration::database::Database;
use integration::http::{Caller, Served};
use integration::servers::Redis;
use tenancy::{Isolation, Strategy};

use super::{A, B, admitted, app, at_once, counted_in, every, in_redis, without_routes};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_at_a_limit_of_fifty_are_fifty_in_one_process() {
    let served = Served::in_memory(app(), &every("50")).await;
    assert_eq!(admitted(&at_once(&served, A, "/plain", 200).await), 50);
    assert_eq!(admitted(&at_once(&served, B, "/plain", 60).await), 50);
    // The twin: without the limit they are all.
    let served = Served::in_memory(app(), &[]).await;
    assert_eq!(admitted(&at_once(&served, A, "/plain", 200).await), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_at_a_limit_of_fifty_are_fifty_in_redis() {
    let redis = Redis::start().await;
    let served = in_redis(app(), &redis, "50").await;
    assert_eq!(admitted(&at_once(&served, A, "/plain", 200).await), 50);
    // The twin: what holds them back is what Redis has counted.
    redis.command(&["FLUSHALL"]).await;
    assert_eq!(admitted(&at_once(&served, A, "/plain", 200).await), 50);
}

/// Two applications on one registry, each with its own inside.
async fn two(database: &Database, vars: &[(&str, &str)]) -> [Served; 2] {
    let app = || app().isolation(Isolation::single(Strategy::Rls));
    let first = Served::start(app(), database, vars).await;
    [first, Served::start(app(), database, vars).await]
}

async fn from_both(both: &[Served; 2]) -> usize {
    let [a, b] = both;
    let (a, b) = tokio::join!(at_once(a, A, "/plain", 100), at_once(b, A, "/plain", 100));
    admitted(&a) + admitted(&b)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_one_limit() {
    let (redis, database) = (Redis::start().await, Database::empty().await);
    let url = redis.url();
    let vars = [every("50"), counted_in(&url, "refuse")].concat();
    assert_eq!(from_both(&two(&database, &vars).await).await, 50);
    // The twin: each for itself lets as many through.
    assert_eq!(from_both(&two(&database, &every("50")).await).await, 100);
}

/// Knocks for three seconds, and returns when those that got in were sent and
/// answered.
async fn knock(caller: Caller<'_>) -> Vec<(Instant, Instant)> {
    let start = Instant::now();
    let mut inside = Vec::new();
    while start.elapsed() < Duration::from_secs(3) {
        let sent = Instant::now();
        let answer = caller.get("/quick").await;
        if admitted(std::slice::from_ref(&answer)) == 1 {
            inside.push((sent, Instant::now()));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    inside
}

/// At 5 in a second: whichever six one takes, there is a second between them.
fn no_second_has_six(inside: &[(Instant, Instant)]) {
    for six in inside.windows(6) {
        let apart = six[5].1 - six[0].0;
        assert!(apart >= Duration::from_secs(1), "{apart:?}");
    }
    // And no more are refused than must be: three seconds have four times five.
    assert!(inside.len() >= 15, "{}", inside.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_second_has_more_than_the_limit_wherever_it_begins() {
    let redis = Redis::start().await;
    let alone = Served::in_memory(app(), &[]).await;
    let url = redis.url();
    let shared = Served::in_memory(app(), &counted_in(&url, "refuse")).await;
    let (alone, shared) = tokio::join!(knock(alone.tenant(A)), knock(shared.tenant(A)));
    no_second_has_six(&alone);
    no_second_has_six(&shared);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counter_that_begins_anew_would_let_twice_as_many_through() {
    let redis = Redis::start().await;
    let url = redis.url();
    let served = Served::in_memory(app(), &counted_in(&url, "refuse")).await;
    // The twin of the test above: forgetting at an edge is what makes a burst.
    let (knocking, forgetting) = tokio::join!(knock(served.tenant(A)), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        redis.command(&["FLUSHALL"]).await;
    });
    let () = forgetting;
    let burst = |six: &[(Instant, Instant)]| six[5].1 - six[0].0 < Duration::from_secs(1);
    assert!(knocking.windows(6).any(burst));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_limits_must_be_kept_and_a_request_counts_for_both_or_none() {
    let redis = Redis::start().await;
    for served in [
        Served::in_memory(app(), &every("10")).await,
        in_redis(app(), &redis, "10").await,
    ] {
        // Of a hundred, 3 are within the route's limit, and the others count for
        // nothing: 7 of the tenant's are left.
        assert_eq!(admitted(&at_once(&served, A, "/daily", 100).await), 3);
        assert_eq!(admitted(&at_once(&served, A, "/plain", 100).await), 7);
        // At the tenant's limit, the route of another method keeps its own.
        let refused = served.tenant(A).post("/daily", "a".into()).await;
        assert_eq!(refused.problem(429), "rate_limited");
        assert_eq!(super::values(&refused, "ratelimit").len(), 2);
        let route = super::values(&refused, "ratelimit")[1];
        assert!(route.starts_with("\"route\";r=2;t="), "{route}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_at_its_limit_is_no_other_s_trouble() {
    let redis = Redis::start().await;
    let served = in_redis(app(), &redis, "5").await;
    assert_eq!(admitted(&at_once(&served, A, "/plain", 20).await), 5);
    assert_eq!(admitted(&at_once(&served, B, "/plain", 4).await), 4);
    // A tenant takes its count along, and leaves none to who gets its slug.
    let provisioner = served.tenancy.provisioner();
    let (old, new) = (A.parse().unwrap(), "moved".parse().unwrap());
    provisioner.rename(&old, &new).await.unwrap();
    assert_eq!(admitted(&at_once(&served, "moved", "/plain", 5).await), 0);
    let heir = tenancy::prelude::NewTenant::new(A).unwrap();
    provisioner.provision(heir).await.unwrap();
    assert_eq!(admitted(&at_once(&served, A, "/plain", 9).await), 5);

    // The twin: it is the key that keeps them apart.
    redis.command(&["FLUSHALL"]).await;
    assert_eq!(admitted(&at_once(&served, A, "/plain", 5).await), 5);
    let key = redis.keys().await.concat();
    assert_eq!(admitted(&at_once(&served, B, "/plain", 1).await), 1);
    let keys = redis.keys().await;
    let other = keys.iter().find(|other| **other != key).unwrap();
    redis.command(&["RENAME", &key, other]).await;
    assert_eq!(admitted(&at_once(&served, B, "/plain", 5).await), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn applications_on_one_redis_count_for_themselves() {
    let redis = Redis::start().await;
    let database = Database::empty().await;
    let url = redis.url();
    let vars = [every("5"), counted_in(&url, "refuse")].concat();
    let start = async |name: &'static str| {
        let app = without_routes(name).isolation(Isolation::single(Strategy::Rls));
        Served::start(app, &database, &vars).await
    };
    let (shop, back_office) = (start("shop").await, start("back-office").await);
    let both = [&shop, &back_office];
    let answers = join_all(both.map(|served| at_once(served, A, "/plain", 9))).await;
    assert_eq!(answers.iter().map(|all| admitted(all)).sum::<usize>(), 10);
    // The twin: of one name they are one.
    let again = start("shop").await;
    assert_eq!(admitted(&at_once(&again, A, "/plain", 9).await), 0);
}
