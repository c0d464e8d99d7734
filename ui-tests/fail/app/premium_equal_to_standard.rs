use tenancy::prelude::*;

#[tenancy::app(isolation = "hybrid", premium = "rls", standard = "rls")]
async fn main(_app: App) {}
