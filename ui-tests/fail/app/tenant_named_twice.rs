use tenancy::prelude::*;

#[tenancy::app(isolation = "rls", seed("acme-corp", "globex", "acme-corp"))]
async fn main(_app: App) {}
