use tenancy::prelude::*;

#[derive(Clone, Copy)]
enum Plan {
    Starter,
}

#[tenant_handler(get, "/health", tenant = "none")]
async fn health() {}

#[tenancy::app(plans = Plan, routes(health))]
async fn main() {}
