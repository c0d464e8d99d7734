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

/// The operator's, and open to all here: in a real application this route
/// stands behind a check of who is calling.
#[tenant_handler(post, "/admin/tenants", tenant = "none")]
async fn register(
    provisioner: Provisioner,
    Json(new): Json<NewTenant>,
) -> Result<(StatusCode, Json<TenantRecord>)> {
    let tenant = provisioner.provision(new).await?;
    Ok((StatusCode::CREATED, Json(tenant)))
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
    models(Todo),
    routes(register, list, create)
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
