use tenancy::prelude::*;

#[tenant_handler(tenant = "none")]
async fn health() {}

fn main() {}
