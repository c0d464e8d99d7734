use tenancy::prelude::*;

#[tenant_handler(get, "/health", tenant = "none")]
async fn health() {}

#[tenancy::app(plans = "Plan", routes(health))]
async fn main() {}
