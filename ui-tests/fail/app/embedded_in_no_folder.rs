use tenancy::prelude::*;

#[tenancy::app(isolation = "rls", embedded = "")]
async fn main(_app: App) {}
