//! Tenants by subdomain: `acme-corp.localhost.local` leads to Acme. There is no
//! database; tenants are kept in memory.

use serde_json::json;
use tenancy::prelude::*;

#[tenant_handler(get, "/health", tenant = "none")]
async fn health() -> &'static str {
    "ok"
}

/// Whose host this is; the bare domain is nobody's.
#[tenant_handler(get, "/")]
async fn welcome(tenant: Tenant) -> Json<Value> {
    let message = format!("Welcome to {}!", tenant.name());
    Json(json!({ "message": message, "tenant": tenant.slug() }))
}

// Everybody may see a tenant's welcome page, so there is nothing to decide.
// Behind a proxy that changes `Host`, name it in TENANCY_TRUSTED_PROXIES:
// `X-Forwarded-Host` from anybody else is ignored.
#[tenancy::app(
    resolver = "subdomain",
    suffix = ".localhost.local",
    membership = "gateway",
    routes(health, welcome)
)]
async fn main(app: App) -> Result<()> {
    app.seed_tenant(NewTenant::new("acme-corp")?.name("Acme Corp"))
        .seed_tenant(NewTenant::new("globex")?.name("Globex"))
        .on_listen(|address| {
            println!("curl http://{address}/ -H 'Host: acme-corp.localhost.local'");
            println!("curl http://{address}/ -H 'Host: globex.localhost.local'");
        })
        .serve()
        .await
}
