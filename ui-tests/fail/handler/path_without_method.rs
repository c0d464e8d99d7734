use tenancy::prelude::*;

#[tenant_handler("/todos")]
async fn list() {}

#[tenant_handler("/todos", get)]
async fn reversed() {}

#[tenant_handler("get", "/todos")]
async fn quoted() {}

fn main() {}
