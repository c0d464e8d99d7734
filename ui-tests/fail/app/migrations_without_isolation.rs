use tenancy::prelude::*;

#[tenancy::app(migrations = "migrations")]
async fn main(_app: App) {}
