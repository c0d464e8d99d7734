//! How often tenants may come: in one process, in several that share a Redis,
//! and while that is away.

mod answers;
mod away;
mod exact;
mod wire;

use axum::Router;
use axum::routing::get;
use futures_util::future::join_all;
use integration::http::{Answer, Served};
use integration::servers::Redis;
use tenancy::admit::Gateway;
use tenancy::prelude::*;

pub(crate) const A: &str = "acme-corp";
pub(crate) const B: &str = "globex";

/// Of these plans one has a limit of its own.
#[derive(Clone, Copy, Plans)]
enum Plan {
    #[plan(default)]
    Starter,
    #[plan(rate_limit = "7/h")]
    Enterprise,
}

#[tenant_handler(get, "/health", tenant = "none")]
async fn health() -> &'static str {
    "ok"
}

#[tenant_handler(get, "/maybe", tenant = "optional")]
async fn maybe(tenant: Option<Tenant>) -> Json<bool> {
    Json(tenant.is_some())
}

#[tenant_handler(get, "/plain")]
async fn plain(_tenant: Tenant) -> &'static str {
    "ok"
}

#[tenant_handler(get, "/quick", rate_limit = "5/s")]
async fn quick() -> &'static str {
    "ok"
}

#[tenant_handler(get, "/daily", rate_limit = "3/day")]
async fn daily() -> &'static str {
    "ok"
}

#[tenant_handler(post, "/daily", rate_limit = "2/hour")]
async fn hourly(body: String) -> String {
    body
}

/// On a router of its own.
#[tenant_handler(rate_limit = "2/h")]
async fn by_hand() -> &'static str {
    "ok"
}

/// An application without a limit for all requests, whatever its tenants.
fn without_routes(name: &'static str) -> App {
    App::new(name, "1.0.0")
        .membership(Gateway)
        .seed(A)
        .seed(B)
        .route::<health>()
        .route::<maybe>()
        .route::<plain>()
}

fn app() -> App {
    without_routes("limits")
        .route::<quick>()
        .route::<daily>()
        .route::<hourly>()
        .merge(Router::new().route("/by-hand", get(by_hand)))
        .plans::<Plan>()
}

/// A limit of so many in a minute for all requests of a tenant.
fn every(per_minute: &str) -> [(&str, &str); 2] {
    [
        ("TENANCY_ENABLE_RATE_LIMITING", "true"),
        ("TENANCY_RATE_LIMIT_PER_MINUTE", per_minute),
    ]
}

/// Counting in this Redis.
fn counted_in<'a>(url: &'a str, without: &'a str) -> [(&'a str, &'a str); 2] {
    [
        ("TENANCY_REDIS_URL", url),
        ("TENANCY_RATE_LIMIT_WITHOUT_REDIS", without),
    ]
}

async fn in_redis(app: App, redis: &Redis, per_minute: &str) -> Served {
    let url = redis.url();
    let vars = [every(per_minute), counted_in(&url, "refuse")].concat();
    Served::in_memory(app, &vars).await
}

/// Sends so many requests at once.
async fn at_once(served: &Served, slug: &str, path: &str, count: usize) -> Vec<Answer> {
    let caller = served.tenant(slug);
    join_all((0..count).map(|_| caller.get(path))).await
}

/// How many of the answers are let through; the others are at the limit.
fn admitted(answers: &[Answer]) -> usize {
    let refused = answers.iter().filter(|answer| answer.status != 200);
    for answer in refused {
        assert_eq!(answer.problem(429), "rate_limited");
    }
    answers.iter().filter(|answer| answer.status == 200).count()
}

/// The values of a header, one of each line.
fn values<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    let all = answer.headers.get_all(name).iter();
    all.map(|value| value.to_str().expect("text")).collect()
}
