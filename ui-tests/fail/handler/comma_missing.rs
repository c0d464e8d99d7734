use tenancy::prelude::*;

#[tenant_handler(get "/todos")]
async fn list() -> &'static str {
    "todos"
}

fn main() {}
