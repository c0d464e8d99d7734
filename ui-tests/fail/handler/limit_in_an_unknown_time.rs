use tenancy::prelude::*;

#[tenant_handler(get, "/reports", rate_limit = "100/minute")]
async fn reports() {}

fn main() {}
