use tenancy::prelude::*;

#[tenancy::app(resolver = "subdomain", header = "X-Org", membership = "gatway")]
async fn main(_app: App) {}
