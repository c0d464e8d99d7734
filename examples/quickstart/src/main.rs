//! A todo API for two tenants: `acme-corp` has a schema of its own, `globex`
//! shares tables behind row-level security. The handlers cannot tell.

use serde_json::json;
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

#[tenant_handler(get, "/health", tenant = "none")]
async fn health() -> &'static str {
    "ok"
}

/// The tenant that asks, and how it is kept apart.
#[tenant_handler(get, "/me")]
async fn me(tenant: Tenant) -> Json<Value> {
    Json(json!({ "tenant": tenant.slug(), "isolation_strategy": tenant.strategy() }))
}

/// The first twenty todos.
#[tenant_handler(get, "/todos")]
async fn list(mut db: TenantConn) -> Result<Json<Vec<Todo>>> {
    Ok(Json(
        Todo::query()
            .order(todos::id)
            .limit(20)
            .load(&mut db)
            .await?,
    ))
}

/// Adds a todo.
#[tenant_handler(post, "/todos", status = 201)]
async fn create(mut db: TenantConn, Json(new): Json<NewTodo>) -> Result<(StatusCode, Json<Todo>)> {
    Ok((StatusCode::CREATED, Json(new.insert(&mut db).await?)))
}

/// Changes a todo.
#[tenant_handler(patch, "/todos/{id}")]
async fn update(
    Path(id): Path<Uuid>,
    mut db: TenantConn,
    Json(changes): Json<TodoChanges>,
) -> Result<Json<Todo>> {
    Ok(Json(changes.update(id, &mut db).await?))
}

/// Removes a todo.
#[tenant_handler(delete, "/todos/{id}", status = 204)]
async fn remove(Path(id): Path<Uuid>, mut db: TenantConn) -> Result<StatusCode> {
    Todo::delete(id, &mut db).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[tenancy::app(
    isolation = "hybrid",
    premium = "schema",
    standard = "rls",
    premium_tenants("acme-corp"),
    resolver = "header",
    membership = "gateway",
    models(Todo),
    routes(health, me, list, create, update, remove),
    openapi = "public",
    seed("acme-corp", "globex")
)]
async fn main(app: App) -> Result<()> {
    app.on_listen(|address| {
        println!("curl http://{address}/me -H 'X-Tenant-ID: acme-corp'");
        println!("curl http://{address}/me -H 'X-Tenant-ID: globex'");
        println!("curl http://{address}/todos -H 'X-Tenant-ID: acme-corp' --json '{{\"title\": \"Ship it\"}}'");
        println!("curl http://{address}/todos -H 'X-Tenant-ID: globex'");
    })
    .serve()
    .await
}
