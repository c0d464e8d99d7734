use tenancy::prelude::*;

#[tenancy::app(isolation = "rls")]
#[tokio::main]
async fn main(_app: App) {}
