use tenancy::prelude::*;

#[tenancy::app(resolver = "header", header = "X Tenant: ID")]
async fn main(_app: App) {}
