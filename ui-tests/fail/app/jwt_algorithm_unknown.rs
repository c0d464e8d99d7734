use tenancy::prelude::*;

#[tenancy::app(resolver = "jwt", algorithm = "HS265")]
async fn main(_app: App) {}
