use tenancy::prelude::*;

struct Settings {
    theme: String,
}

#[tenant_handler(get, "/health", tenant = "none")]
async fn health() {}

#[tenancy::app(settings = Settings, routes(health))]
async fn main() {}
