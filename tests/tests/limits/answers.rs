//! What clients hear of limits, and who is counted.

use std::time::Duration;

use axum::http::request::Parts;
use integration::http::{Served, raw};
use serde_json::json;
use tenancy::admit::Membership;
use tenancy::async_trait;
use tenancy::config::Config;
use tenancy::prelude::*;

use super::{A, B, admitted, app, at_once, every, plain, values};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_says_how_the_tenant_stands() {
    let served = Served::in_memory(app(), &every("100")).await;
    let a = served.tenant(A);
    let answer = a.get("/daily").await;
    assert_eq!(answer.status, 200);
    let policies = ["\"tenant\";q=100;w=60", "\"route\";q=3;w=86400"];
    assert_eq!(values(&answer, "ratelimit-policy"), policies);
    let standing = values(&answer, "ratelimit");
    assert!(
        standing[0].starts_with("\"tenant\";r=99;t="),
        "{standing:?}"
    );
    assert!(standing[1].starts_with("\"route\";r=2;t="), "{standing:?}");
    assert!(!answer.headers.contains_key("retry-after"));

    at_once(&served, A, "/daily", 2).await;
    let refused = a.get("/daily").await;
    assert_eq!(refused.problem(429), "rate_limited");
    assert_eq!(
        refused.json(429)["detail"],
        "too many requests: 3/d is the limit"
    );
    let seconds: u64 = refused.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    // The oldest of them counts for a day and a slice.
    assert!((86_390..=86_400 + 1_441).contains(&seconds), "{seconds}");
    assert_eq!(values(&refused, "ratelimit-policy"), policies);
    assert!(values(&refused, "ratelimit")[1].starts_with("\"route\";r=0;t="));
    // Answers of handlers that fail are told as well; others have no standing.
    assert!(!values(&a.post("/daily", json!({})).await, "ratelimit").is_empty());
    assert!(values(&served.nobody().get("/health").await, "ratelimit").is_empty());
    assert!(values(&served.nobody().get("/maybe").await, "ratelimit").is_empty());
    assert!(!values(&a.get("/maybe").await, "ratelimit").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_when_told_is_let_in() {
    let served = Served::in_memory(app(), &[]).await;
    assert_eq!(admitted(&at_once(&served, A, "/quick", 9).await), 5);
    let refused = served.tenant(A).get("/quick").await;
    let seconds = refused.headers["retry-after"].to_str().unwrap();
    assert!(["1", "2"].contains(&seconds), "{seconds}");
    tokio::time::sleep(Duration::from_secs(seconds.parse().unwrap())).await;
    assert_eq!(served.tenant(A).get("/quick").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_has_a_limit_of_its_own() {
    let big = NewTenant::new("initech").unwrap().plan("enterprise");
    let other = NewTenant::new("hooli").unwrap().plan("starter");
    let app = || app().seed_tenant(big.clone()).seed_tenant(other.clone());
    let served = Served::in_memory(app(), &every("2")).await;
    for (slug, most) in [(A, 2), ("hooli", 2), ("initech", 7)] {
        assert_eq!(
            admitted(&at_once(&served, slug, "/plain", 20).await),
            most,
            "{slug}"
        );
    }
    let policy = served.tenant("initech").get("/plain").await;
    assert_eq!(
        values(&policy, "ratelimit-policy"),
        ["\"tenant\";q=7;w=3600"]
    );
    // Where there is no limit for everybody, a plan has none either.
    let served = Served::in_memory(app(), &[]).await;
    assert_eq!(
        admitted(&at_once(&served, "initech", "/plain", 20).await),
        20
    );
}

/// Only who knocks twice is a member.
struct Knocking;

#[async_trait]
impl Membership for Knocking {
    async fn admits(&self, request: &Parts, _: &TenantRecord) -> Result<bool> {
        Ok(request.headers.contains_key("x-member"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_use_up_nobody_s_limit() {
    let app = App::new("members", "1.0.0").seed(A).route::<plain>();
    let served = Served::in_memory(app.membership(Knocking), &every("3")).await;
    let knock = async |line: &str| {
        let request = format!(
            "GET /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Tenant-ID: {A}\r\n{line}\r\n"
        );
        let answer = raw(served.site.address, request.as_bytes()).await;
        String::from_utf8(answer).unwrap()[9..12].to_owned()
    };
    for _ in 0..10 {
        assert_eq!(knock("").await, "400");
    }
    for _ in 0..3 {
        assert_eq!(knock("X-Member: yes\r\n").await, "200");
    }
    // The twin: members do.
    assert_eq!(knock("X-Member: yes\r\n").await, "429");
    // What is at the limit is told to members only.
    assert_eq!(knock("").await, "400");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_beyond_the_limit_is_not_read() {
    let served = Served::in_memory(app(), &[]).await;
    // A body is announced and never sent.
    let request = format!(
        "POST /daily HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Tenant-ID: {B}\r\n\
         Content-Length: 1000\r\n\r\n"
    );
    let answer = async |patience| {
        let answer = raw(served.site.address, request.as_bytes());
        tokio::time::timeout(Duration::from_millis(patience), answer).await
    };
    // The twin: below the limit it is waited for.
    assert!(answer(300).await.is_err());
    assert!(answer(300).await.is_err());
    let refused = answer(10_000).await.expect("an answer");
    let refused = String::from_utf8_lossy(&refused);
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_is_mounted_by_hand_keeps_its_limit() {
    let served = Served::in_memory(app(), &every("1000")).await;
    let answers = at_once(&served, A, "/by-hand", 10).await;
    assert_eq!(admitted(&answers), 2);
    for answer in answers {
        assert_eq!(values(&answer, "ratelimit").len(), 2, "{answer:?}");
    }
    // Where there is no tenant to count for, it is not let through.
    let router = axum::Router::new().route("/open", axum::routing::get(super::by_hand));
    let served = Served::in_memory(app().merge_public(router), &[]).await;
    assert_eq!(served.tenant(A).get("/open").await.problem(500), "internal");
}

async fn start(app: App, vars: &[(&str, &str)]) -> Result<(), String> {
    let vars = vars.iter().map(|&(n, v)| (n.to_owned(), v.to_owned()));
    let config = Config::from_vars(app.defaults(), vars)
        .map_err(Error::CannotStart)
        .map_err(|error| error.to_string())?;
    let started = app.start(config).await;
    started.map(drop).map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_without_redis_is_chosen_by_name() {
    let redis = ("TENANCY_REDIS_URL", "redis://:hunter2@127.0.0.1:1/");
    let name = "TENANCY_RATE_LIMIT_WITHOUT_REDIS: is not set";
    // For all requests, or for a route.
    let all = [every("5").to_vec(), vec![redis]].concat();
    for (app, vars) in [(app(), &all[..]), (app(), &[redis])] {
        let refused = start(app, vars).await.unwrap_err();
        assert!(
            refused.contains(name) && !refused.contains("hunter2"),
            "{refused}"
        );
    }
    // Without any limit nothing is to be chosen.
    start(super::without_routes("open"), &[redis])
        .await
        .unwrap();
    let chosen = ("TENANCY_RATE_LIMIT_WITHOUT_REDIS", "refuse");
    start(app(), &[redis, chosen]).await.unwrap();
    let wrong = ("TENANCY_REDIS_URL", "redis://hunter2:x@host:port/");
    let refused = start(app(), &[wrong, chosen]).await.unwrap_err();
    assert!(
        refused.contains("TENANCY_REDIS_URL: is no URL"),
        "{refused}"
    );
    assert!(!refused.contains("hunter2"), "{refused}");
}
