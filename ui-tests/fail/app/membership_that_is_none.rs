use tenancy::prelude::*;

struct Users;

#[tenancy::app(resolver = "header", membership = Users)]
async fn main(_app: App) {}
