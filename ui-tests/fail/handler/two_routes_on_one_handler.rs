use tenancy::prelude::*;

#[tenant_handler(get, post, "/todos", "/things")]
async fn list() {}

fn main() {}
