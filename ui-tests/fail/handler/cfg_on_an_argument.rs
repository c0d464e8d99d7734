use tenancy::prelude::*;

#[tenant_handler(get, "/todos")]
async fn list(#[cfg(unix)] tenant: Tenant) -> String {
    tenant.slug().to_string()
}

fn main() {}
