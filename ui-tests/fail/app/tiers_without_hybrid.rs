use tenancy::prelude::*;

#[tenancy::app(isolation = "rls", premium = "schema", premium_plans("enterprise"))]
async fn main(_app: App) {}
