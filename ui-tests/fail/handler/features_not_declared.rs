use tenancy::prelude::*;

#[tenant_handler(get, "/summary", feature = "advanced_analytics")]
async fn summary() {}

fn main() {}
