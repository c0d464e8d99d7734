use tenancy::prelude::*;

tenancy::features! { exports }

#[tenant_handler(get, "/exports", tenant = "none", feature = "exports")]
async fn exports() {}

fn main() {}
