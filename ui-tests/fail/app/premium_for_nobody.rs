use tenancy::prelude::*;

#[tenancy::app(
    isolation = "hybrid", premium = "schema", standard = "rls",
    premium_tenants(), premium_plans(""),
)]
async fn main(_app: App) {}
