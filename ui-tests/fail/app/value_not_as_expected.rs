use tenancy::prelude::*;

#[tenancy::app(
    isolation = rls,
    premium("schema"),
    resolver,
    models = "Todo",
    seed(acme-corp),
    routes("list"),
    "header"
)]
async fn main(_app: App) {}
