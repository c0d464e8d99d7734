use tenancy::prelude::*;

struct Todos;

impl Todos {
    #[tenant_handler(get, "/todos")]
    async fn list() -> &'static str {
        "todos"
    }
}

fn main() {}
