use tenancy::prelude::*;

#[tenant_handler(get, "/reports", rate_limit = "0/min")]
async fn reports() {}

fn main() {}
