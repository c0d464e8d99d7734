use tenancy::prelude::*;

struct Todo;

#[tenancy::app(isolation = "rls", models(Todo))]
async fn main(_app: App) {}
