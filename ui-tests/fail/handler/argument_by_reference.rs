use tenancy::prelude::*;

#[tenant_handler(get, "/todos")]
async fn list(conn: &mut TenantConn) -> &'static str {
    "todos"
}

#[tenant_handler(get, "/todos/{id}")]
async fn show(tenant: &Tenant, id: &str) -> &'static str {
    "todo"
}

fn main() {}
