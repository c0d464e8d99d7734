use tenancy::prelude::*;

#[tenancy::app(resolver = "jwt", secret = "hunter2hunter2hunter2hunter2hunter2", audience = "")]
async fn main(_app: App) {}
