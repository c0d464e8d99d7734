use tenancy::prelude::*;

#[tenant_handler(get, "/reports", tenant = "none", rate_limit = "100/min")]
async fn reports() {}

fn main() {}
