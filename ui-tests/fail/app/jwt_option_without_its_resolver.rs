use tenancy::prelude::*;

#[tenancy::app(resolver = "header", audience = "my-app", algorithm = "none", membership = "gateway")]
async fn main(_app: App) {}
