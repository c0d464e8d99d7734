use tenancy::prelude::*;

struct Todo;

#[tenant_handler(get, "/todos")]
async fn find(_tenant: Tenant) -> Todo {
    Todo
}

fn main() {}
