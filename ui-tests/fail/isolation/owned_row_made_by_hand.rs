//! Nobody says whose a row is but the connection that it was read with.

use tenancy::prelude::*;

#[tenant_model]
struct Todo {
    id: i64,
    title: String,
}

fn owned(row: Todo, tenant: Tenant) -> Owned<Todo> {
    Owned { row, tenant }
}

fn main() {}
