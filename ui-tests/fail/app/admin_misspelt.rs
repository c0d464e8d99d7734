use tenancy::prelude::*;

#[tenancy::app(admin = "opne")]
async fn main(_app: App) {}
