use tenancy::prelude::*;

struct Todo;

#[tenancy::app(embedded = "temporary", models(Todo))]
async fn main(_app: App) {}
