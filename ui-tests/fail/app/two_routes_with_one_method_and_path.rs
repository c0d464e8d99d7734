use tenancy::prelude::*;

mod todos {
    use tenancy::prelude::*;

    #[tenant_handler(get, "/todos/{key}")]
    pub async fn find() {}
}

#[tenant_handler(get, "/todos/{id}")]
async fn get() {}

#[tenant_handler(delete, "/todos/{id}")]
async fn delete() {}

#[tenancy::app(routes(get, delete, todos::find))]
async fn main(_app: App) {}
