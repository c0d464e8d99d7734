//! What processes share over Redis: word of changes, and what one of them has just
//! looked up.

use std::time::{Duration, Instant};

use integration::database::Database;
use integration::http::Served;
use integration::servers::Redis;
use integration::wire::Wire;
use tenancy::tenant::Slug;
use tenancy::{Isolation, Strategy};

use crate::shop;

const A: &str = "acme-corp";

/// How long a process that is told nothing goes by what it knows, and how late the
/// machine may be.
const UNTOLD: Duration = Duration::from_secs(1);
const LATE: Duration = Duration::from_millis(1_500);

/// Nothing is listened to, as behind a pooler.
const UNHEARD: (&str, &str) = ("TENANCY_PREPARED_STATEMENTS", "false");

async fn serve(database: &Database, vars: &[(&str, &str)]) -> Served {
    let app = shop::app(Isolation::single(Strategy::Rls)).seed(A);
    let vars = [&[UNHEARD], vars].concat();
    Served::start(app, database, &vars).await
}

fn slug() -> Slug {
    A.parse().expect("a slug")
}

/// Waits until the tenant is answered with this status; how long that took.
async fn until(shop: &Served, status: u16) -> Duration {
    let start = Instant::now();
    while shop.tenant(A).get("/me").await.status != status {
        assert!(start.elapsed() < Duration::from_secs(10), "never {status}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    start.elapsed()
}

/// How long the other goes on serving a tenant: since it has looked it up, and since
/// it was suspended.
async fn suspension(one: &Served, other: &Served) -> (Duration, Duration) {
    tokio::time::sleep(UNTOLD + Duration::from_millis(100)).await;
    let looked_up = Instant::now();
    other.tenant(A).get("/me").await.json(200);
    let provisioner = one.tenancy.provisioner();
    provisioner.suspend(&slug()).await.expect("a tenant");
    let suspended = until(other, 403).await;
    let looked_up = looked_up.elapsed();
    provisioner.activate(&slug()).await.expect("a tenant");
    until(other, 200).await;
    (looked_up, suspended)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn word_of_a_change_comes_by_redis_where_postgresql_tells_nobody() {
    let (database, mut redis) = (Database::empty().await, Redis::start().await);
    let url = redis.url();
    let vars = [("TENANCY_REDIS_URL", &*url)];
    let (one, other) = (serve(&database, &vars).await, serve(&database, &vars).await);
    for _ in 0..3 {
        let (_, took) = suspension(&one, &other).await;
        assert!(took < UNTOLD / 2, "{took:?}");
        eprintln!("by Redis, a suspension was in force after {took:?}");
    }
    // The twin: without it what is remembered has to grow old.
    redis.kill();
    let (known, took) = suspension(&one, &other).await;
    assert!(known > UNTOLD / 2, "{known:?}");
    assert!(took < UNTOLD + LATE, "{took:?}");
    // It is heard again by itself.
    redis.start_again().await;
    let start = Instant::now();
    while suspension(&one, &other).await.0 > UNTOLD / 2 {
        assert!(start.elapsed() < Duration::from_secs(20), "never again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_has_looked_up_the_others_do_not_ask_the_registry_for() {
    let (database, mut redis) = (Database::empty().await, Redis::start().await);
    let port = database.app.get_ports()[0];
    let wire = Wire::to(format!("127.0.0.1:{port}")).await;
    let through = database.app_url();
    let through = through.replace(&format!(":{port}/"), &format!(":{}/", wire.port));
    let url = redis.url();
    let shared = [
        ("TENANCY_REDIS_URL", &*url),
        ("TENANCY_CACHE_SECOND_LEVEL", "true"),
    ];
    let counted = [("TENANCY_DATABASE_URL", &*through)];
    let one = serve(&database, &shared).await;
    let other = serve(&database, &[&shared[..], &counted].concat()).await;
    let cost = async |first: &Served| {
        // Longer than anything is remembered, here or there.
        tokio::time::sleep(UNTOLD + Duration::from_millis(300)).await;
        first.tenant(A).get("/me").await.json(200);
        tokio::time::sleep(Duration::from_millis(50)).await;
        wire.take();
        other.tenant(A).get("/me").await.json(200);
        wire.take()
    };
    // It is there for half a second, which a busy machine may take for one request.
    let mut shared = None;
    for _ in 0..10 {
        if cost(&one).await > 0 {
            continue;
        }
        let keys = redis.keys().await;
        let Some(key) = keys.into_iter().find(|key| key.ends_with(&format!(":{A}"))) else {
            continue;
        };
        let taken = redis.command(&["GET", &key]).await;
        shared = taken.lines().nth(1).map(|taken| (key, taken.to_owned()));
        if shared.is_some() {
            break;
        }
    }
    // What is no tenant, or another one, is not believed.
    let (key, taken) = shared.expect("a look-up that is shared and costs nothing");
    let key = &*key;
    let another = taken.replace(A, "globex");
    assert_ne!(another, taken);
    for nonsense in ["nonsense", "{}", &another] {
        tokio::time::sleep(UNTOLD + Duration::from_millis(300)).await;
        redis.command(&["SET", key, nonsense, "PX", "400"]).await;
        wire.take();
        other.tenant(A).get("/me").await.json(200);
        assert!(wire.take() > 0, "{nonsense}");
    }
    // Nor is what would stay for longer than we let it.
    tokio::time::sleep(UNTOLD + Duration::from_millis(300)).await;
    redis.command(&["SET", key, "null"]).await;
    other.tenant(A).get("/me").await.json(200);
    // The twin: who shares nothing is no help.
    let alone = serve(&database, &[]).await;
    redis.command(&["DEL", key]).await;
    assert!(cost(&alone).await > 0);
    // Without Redis the registry is asked.
    redis.kill();
    assert!(cost(&one).await > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_shared_is_no_older_than_a_process_may_go_by() {
    let (database, redis) = (Database::empty().await, Redis::start().await);
    let url = redis.url();
    let vars = [
        ("TENANCY_REDIS_URL", &*url),
        ("TENANCY_CACHE_SECOND_LEVEL", "true"),
    ];
    let all = [
        serve(&database, &vars).await,
        serve(&database, &vars).await,
        serve(&database, &vars).await,
    ];
    for _ in 0..3 {
        // Each fills what is shared again and again.
        for _ in 0..20 {
            for process in &all {
                process.tenant(A).get("/me").await.json(200);
            }
            tokio::time::sleep(Duration::from_millis(70)).await;
        }
        // Nobody says that it has changed.
        let change = "SET session_replication_role = replica; \
             UPDATE tenancy.tenants SET status = 'suspended'";
        database.sabotage(change).await;
        let start = Instant::now();
        for process in &all {
            until(process, 403).await;
        }
        assert!(start.elapsed() < UNTOLD + LATE, "{:?}", start.elapsed());
        // Once refused it is not served again, as an older look-up would have it.
        for _ in 0..30 {
            for process in &all {
                assert_eq!(process.tenant(A).get("/me").await.status, 403);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        database
            .sabotage("UPDATE tenancy.tenants SET status = 'active'")
            .await;
        for process in &all {
            until(process, 200).await;
        }
    }
}
