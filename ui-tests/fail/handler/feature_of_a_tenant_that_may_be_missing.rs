use tenancy::prelude::*;

tenancy::features! { exports }

#[tenant_handler(get, "/export", tenant = "optional", feature = "exports")]
async fn export(_tenant: Option<Tenant>) -> &'static str {
    "all"
}

fn main() {}
