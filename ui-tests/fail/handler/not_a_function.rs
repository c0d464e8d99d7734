use tenancy::prelude::*;

#[tenant_handler(get, "/todos")]
struct List {
    limit: u32,
}

fn main() {}
