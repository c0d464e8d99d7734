use tenancy::prelude::*;

#[tenant_handler(get)]
async fn list() {}

fn main() {}
