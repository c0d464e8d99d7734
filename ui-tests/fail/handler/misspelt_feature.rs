use tenancy::prelude::*;

tenancy::features! { advanced_analytics, exports }

#[tenant_handler(get, "/summary", feature = "advanced_analytic")]
async fn by_name() {}

#[tenant_handler(get, "/exports", feature = crate::features::export)]
async fn by_path() {}

fn main() {}
