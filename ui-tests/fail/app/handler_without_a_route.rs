use tenancy::prelude::*;

tenancy::features! { exports }

#[tenant_handler(feature = "exports")]
async fn export(_tenant: Tenant) {}

#[tenancy::app(routes(export))]
async fn main() {}
