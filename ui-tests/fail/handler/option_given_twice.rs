use tenancy::prelude::*;

tenancy::features! { exports, reports }

#[tenant_handler(get, "/exports", feature = "exports", feature = "reports")]
async fn exports() {}

fn main() {}
