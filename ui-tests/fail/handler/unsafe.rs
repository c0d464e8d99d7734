use tenancy::prelude::*;

#[tenant_handler(get, "/todos")]
async unsafe fn list() -> &'static str {
    "todos"
}

fn main() {}
