use tenancy::prelude::*;

#[tenant_handler(get, "/health", tenant = "none")]
async fn health(_tenant: Tenant) {}

#[tenant_handler(get, "/prices", tenant = "none")]
async fn prices(_db: Option<TenantConn>) {}

fn main() {}
