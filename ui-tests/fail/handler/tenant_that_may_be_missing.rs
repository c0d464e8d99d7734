use tenancy::prelude::*;

#[tenant_handler(get, "/welcome", tenant = "optional")]
async fn welcome(_tenant: Tenant, _db: TenantConn) {}

fn main() {}
