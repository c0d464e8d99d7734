use tenancy::prelude::*;

#[tenancy::app(resolver = "headers")]
async fn main(_app: App) {}
