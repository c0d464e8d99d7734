use tenancy::prelude::*;

#[tenant_handler(get, "/a", tenant = none)]
async fn tenant() {}

#[tenant_handler(get, "/b", feature = ["exports", "reports"])]
async fn feature() {}

#[tenant_handler(get, "/c" tenant = "none")]
async fn comma() {}

fn main() {}
