use tenancy::prelude::*;

// axum's, which is no dependency here.
struct State<S>(S);

#[derive(Clone)]
struct Shop;

#[tenant_handler(get, "/todos")]
async fn list(State(_): State<Shop>) -> &'static str {
    "todos"
}

fn main() {}
