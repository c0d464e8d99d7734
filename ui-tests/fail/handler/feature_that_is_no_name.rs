use tenancy::prelude::*;

#[tenant_handler(get, "/summary", feature = "advanced-analytics")]
async fn summary() {}

fn main() {}
