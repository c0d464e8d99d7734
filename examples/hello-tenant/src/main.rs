//! The smallest multi-tenant application: two tenants kept in memory, and a
//! handler that greets the one that asks.

use serde_json::json;
use tenancy::prelude::*;

#[tenant_handler(get, "/health", tenant = "none")]
async fn health() -> &'static str {
    "ok"
}

#[tenant_handler(get, "/hello")]
async fn hello(tenant: Tenant) -> Json<Value> {
    let message = format!("Hello from {}!", tenant.name());
    Json(json!({ "message": message, "tenant": tenant.slug() }))
}

#[tenancy::app(resolver = "header", membership = "gateway", routes(health, hello))]
async fn main(app: App) -> Result<()> {
    app.seed_tenant(NewTenant::new("acme-corp")?.name("Acme Corp"))
        .seed_tenant(NewTenant::new("globex")?.name("Globex"))
        .on_listen(|address| {
            println!("curl http://{address}/hello -H 'X-Tenant-ID: acme-corp'");
            println!("curl http://{address}/hello -H 'X-Tenant-ID: globex'");
        })
        .serve()
        .await
}
