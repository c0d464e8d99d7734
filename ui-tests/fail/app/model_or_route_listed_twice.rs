use tenancy::prelude::*;

struct Todo;

#[tenant_handler(get, "/todos")]
async fn list() {}

#[tenancy::app(isolation = "rls", models(Todo, Todo), routes(list, list))]
async fn main(_app: App) {}
