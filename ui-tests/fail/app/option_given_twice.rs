use tenancy::prelude::*;

#[tenancy::app(isolation = "rls", isolation = "schema")]
async fn main(_app: App) {}
