use tenancy::prelude::*;

#[tenant_handler(get, "/todos")]
fn list(_tenant: Tenant) -> &'static str {
    "[]"
}

fn main() {}
