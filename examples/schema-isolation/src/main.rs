//! A todo API in which every tenant gets a schema of its own: registering a
//! tenant creates the schema with its tables, all or nothing.

use tenancy::prelude::*;

/// A thing to do.
#[tenant_model]
pub struct Todo {
    /// The key.
    pub id: Uuid,
    /// What to do.
    pub title: String,
    /// Whether it is done.
    #[column(default = "false")]
    pub done: bool,
}

#[tenant_handler(get, "/todos")]
async fn list(mut db: TenantConn) -> Result<Json<Vec<Todo>>> {
    let todos = Todo::query().order(todos::id).limit(20);
    Ok(Json(todos.load(&mut db).await?))
}

#[tenant_handler(post, "/todos")]
async fn create(mut db: TenantConn, Json(new): Json<NewTodo>) -> Result<(StatusCode, Json<Todo>)> {
    Ok((StatusCode::CREATED, Json(new.insert(&mut db).await?)))
}

#[tenancy::app(
    isolation = "schema",
    resolver = "header",
    membership = "gateway",
    // Everybody who reaches the port registers tenants: for trying out. A real
    // application says "token", or has a guard of its own.
    admin = "open",
    models(Todo),
    routes(list, create)
)]
async fn main(app: App) -> Result<()> {
    app.on_listen(|address| {
        let post = format!("curl http://{address}");
        println!("{post}/admin/tenants --json '{{\"identifier\": \"acme-corp\", \"name\": \"Acme Corp\"}}'");
        println!("{post}/todos -H 'X-Tenant-ID: acme-corp' --json '{{\"title\": \"Deploy to production\"}}'");
        println!("curl http://{address}/todos -H 'X-Tenant-ID: acme-corp'");
    })
    .serve()
    .await
}
