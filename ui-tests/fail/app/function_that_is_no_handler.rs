use tenancy::prelude::*;

async fn list(_tenant: Tenant) {}

#[tenancy::app(routes(list))]
async fn main() {}
