use tenancy::prelude::*;

#[tenancy::app(standard = "rls", premium_tenants("acme-corp"))]
async fn main(_app: App) {}
