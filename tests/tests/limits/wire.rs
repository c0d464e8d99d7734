//! What goes over the wire to Redis, and how often.

use axum::http::StatusCode;
use integration::http::Served;
use integration::servers::Redis;
use integration::wire::Wire;

use super::{A, app, counted_in, every, values};

/// An application whose words to Redis go over a wire, once it is connected.
async fn over_a_wire(redis: &Redis, vars: &[(&str, &str)]) -> (Wire, Served) {
    let wire = Wire::to(redis.address()).await;
    let url = format!("redis://127.0.0.1:{}/", wire.port);
    let vars = [vars, &counted_in(&url, "refuse")].concat();
    let served = Served::in_memory(app(), &vars).await;
    wire.take();
    wire.take_said();
    (wire, served)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_costs_one_round_trip_and_none_without_a_limit() {
    let redis = Redis::start().await;
    let (wire, served) = over_a_wire(&redis, &every("1000")).await;
    let a = served.tenant(A);
    let trips = async |path: &str, status: u16| {
        assert_eq!(a.get(path).await.status, status, "{path}");
        wire.take()
    };
    // The first one as well: the script is loaded at the start.
    assert_eq!(trips("/plain", 200).await, 1);
    for _ in 0..3 {
        assert_eq!(trips("/daily", 200).await, 1, "two limits in one");
    }
    assert_eq!(trips("/daily", 429).await, 1);
    assert_eq!(trips("/health", 200).await, 0);
    assert_eq!(served.nobody().get("/maybe").await.status, 200);
    assert_eq!(served.tenant("unknown").get("/plain").await.status, 400);
    assert_eq!(wire.take(), 0);
    // Only a gate that nobody in front knows of asks by itself.
    assert_eq!(trips("/by-hand", 200).await, 2);

    // Without a limit for all requests.
    let (wire, served) = over_a_wire(&redis, &[]).await;
    let trips = async |path: &str| {
        assert_eq!(served.tenant(A).get(path).await.status, 200, "{path}");
        wire.take()
    };
    assert_eq!(trips("/plain").await, 0);
    assert_eq!(trips("/daily").await, 1);
    assert_eq!(trips("/by-hand").await, 1);
    // The twin: the wire does count.
    assert_eq!(trips("/daily").await + trips("/daily").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_clock_but_the_one_of_redis_has_a_say() {
    let redis = Redis::start().await;
    let (wire, served) = over_a_wire(&redis, &every("1000")).await;
    let mut said = Vec::new();
    for path in ["/plain", "/plain", "/plain", "/daily"] {
        assert_eq!(served.tenant(A).get(path).await.status, 200);
        said.push(wire.take_said());
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    }
    // Seconds apart a process says the same, to the byte: it cannot be telling
    // the time. What comes back is durations.
    assert!(!said[0].is_empty());
    assert_eq!(said[0], said[1]);
    assert_eq!(said[1], said[2]);
    // The twin: what differs is seen.
    assert_ne!(said[2], said[3]);
}

/// The script with the time as its last two arguments, for traffic of hours.
const SCRIPT: &str = include_str!("../../../tenancy-runtime/src/limit/script.lua");
const TIME: (&str, &str) = ("redis.call('TIME')", "{ ARGV[#ARGV - 1], ARGV[#ARGV] }");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_script_is_as_strict_as_a_log_of_every_request() {
    let redis = Redis::start().await;
    let script = SCRIPT.replace(TIME.0, TIME.1);
    assert_ne!(script, SCRIPT);
    let (limit, slice, period) = (5, 60_000_000_u64, 3_600_000_000_u64);
    let mut log: Vec<u64> = Vec::new();
    let mut now = 1_700_000_000_000_000;
    let (mut refused, mut late) = (0, 0);
    for _ in 0..600 {
        now += match fastrand::u8(..6) {
            0 => 0,
            1 => 1,
            2 => slice,
            3 => slice - 1,
            4 => fastrand::u64(..10 * slice),
            _ => fastrand::u64(..20 * slice),
        };
        let within = |length: u64| log.iter().filter(|&&at| at + length > now).count();
        let (strict, lenient) = (within(period), within(period + 2 * slice));
        let (seconds, micros) = (now / 1_000_000, now % 1_000_000);
        let words = [limit as u64, slice, seconds, micros].map(|word| word.to_string());
        let [limit_word, slice_word, seconds, micros] = &words;
        let call = [
            "EVAL", &script, "1", "key", limit_word, slice_word, seconds, micros,
        ];
        let answer = redis.command(&call).await;
        let admitted = answer.starts_with("*3\r\n:1\r\n");
        assert!(admitted || answer.starts_with("*3\r\n:0\r\n"), "{answer}");
        assert!(
            !(admitted && strict >= limit),
            "more than the limit in its time"
        );
        assert!(admitted || lenient >= limit, "refused below the limit");
        refused += usize::from(!admitted);
        late += usize::from(!admitted && strict < limit);
        if admitted {
            log.push(now);
        }
    }
    // All of it has happened, and lateness is the exception.
    assert!(
        refused > 50 && late < refused && log.len() > 50,
        "{refused} {late}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_clock_is_set_back_forgives_after_the_limit_s_time() {
    let redis = Redis::start().await;
    let served = super::in_redis(app(), &redis, "1000").await;
    let a = served.tenant(A);
    assert_eq!(a.get("/quick").await.status, 200);
    let keys = redis.keys().await;
    let key = keys.iter().find(|key| key.contains("route")).unwrap();
    // As if counted in a time that is long to come.
    redis.command(&["DEL", key]).await;
    redis.command(&["HSET", key, "99999999999999", "5"]).await;
    assert_eq!(a.get("/quick").await.status, 429);
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert_eq!(a.get("/quick").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_that_is_forgotten_is_loaded_again() {
    let redis = Redis::start().await;
    let served = super::in_redis(app(), &redis, "1000").await;
    let a = served.tenant(A);
    for remaining in (990..1000).rev() {
        let answer = a.get("/plain").await;
        assert_eq!(answer.status, StatusCode::OK);
        let standing = format!("\"tenant\";r={remaining};t=");
        let told = values(&answer, "ratelimit").concat();
        assert!(told.starts_with(&standing), "{told}");
        if remaining % 2 == 0 {
            redis.command(&["SCRIPT", "FLUSH"]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_go_when_their_time_is_over() {
    let redis = Redis::start().await;
    let served = Served::in_memory(app(), &counted_in(&redis.url(), "refuse")).await;
    assert_eq!(served.tenant(A).get("/quick").await.status, 200);
    assert_eq!(served.tenant(A).get("/daily").await.status, 200);
    assert_eq!(redis.keys().await.len(), 2);
    for key in redis.keys().await {
        let left = redis.command(&["PTTL", &key]).await;
        let left: u64 = left.trim().trim_start_matches(':').parse().unwrap();
        assert!(left > 0 && left < 90_000_000, "{key}: {left}");
    }
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    assert_eq!(redis.keys().await.len(), 1);
}
