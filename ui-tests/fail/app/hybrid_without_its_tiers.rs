use tenancy::prelude::*;

#[tenancy::app(isolation = "hybrid")]
async fn main(_app: App) {}
