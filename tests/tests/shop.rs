//! The application under test: a shop's back office.

use std::time::Duration;

use serde_json::json;
use tenancy::prelude::*;
use tenancy::{Isolation, Strategy};

/// What todos belong to.
#[tenant_model]
pub struct Project {
    /// The key.
    pub id: Uuid,
    /// Unique for the tenant.
    #[column(unique)]
    pub name: String,
}

/// Something to do.
#[tenant_model]
pub struct Todo {
    /// The key.
    pub id: Uuid,
    /// Unique for the tenant.
    #[column(unique)]
    pub title: String,
    /// Whether it is done.
    #[column(default = "false")]
    pub done: bool,
    /// What it belongs to.
    #[column(references = Project)]
    pub project_id: Option<Uuid>,
}

/// What all tenants read.
#[shared_model]
pub struct Country {
    /// Two letters.
    #[column(primary_key)]
    pub code: String,
    /// In English.
    pub name: String,
}

#[tenant_handler(get, "/health", tenant = "none")]
async fn health() -> &'static str {
    "ok"
}

#[tenant_handler(get, "/whoami", tenant = "optional")]
async fn whoami(tenant: Option<Tenant>) -> Json<Value> {
    Json(json!(tenant.map(|tenant| tenant.slug().clone())))
}

#[tenant_handler(get, "/me")]
async fn me(tenant: Tenant) -> Json<Value> {
    Json(json!({ "tenant": tenant.slug(), "isolation_strategy": tenant.strategy() }))
}

#[tenant_handler(get, "/todos")]
async fn list(mut db: TenantConn) -> Result<Json<Vec<Todo>>> {
    Ok(Json(Todo::query().order(todos::id).load(&mut db).await?))
}

#[tenant_handler(post, "/todos")]
async fn create(mut db: TenantConn, Json(new): Json<NewTodo>) -> Result<(StatusCode, Json<Todo>)> {
    Ok((StatusCode::CREATED, Json(new.insert(&mut db).await?)))
}

#[tenant_handler(get, "/todos/{id}")]
async fn show(Path(id): Path<Uuid>, mut db: TenantConn) -> Result<Json<Todo>> {
    Ok(Json(Todo::query().find(id).first(&mut db).await?))
}

#[tenant_handler(patch, "/todos/{id}")]
async fn update(
    Path(id): Path<Uuid>,
    mut db: TenantConn,
    Json(changes): Json<TodoChanges>,
) -> Result<Json<Todo>> {
    Ok(Json(changes.update(id, &mut db).await?))
}

#[tenant_handler(delete, "/todos/{id}")]
async fn remove(Path(id): Path<Uuid>, mut db: TenantConn) -> Result<StatusCode> {
    Todo::delete(id, &mut db).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[tenant_handler(post, "/projects")]
async fn found(
    mut db: TenantConn,
    Json(new): Json<NewProject>,
) -> Result<(StatusCode, Json<Project>)> {
    Ok((StatusCode::CREATED, Json(new.insert(&mut db).await?)))
}

/// Each todo with its project.
#[tenant_handler(get, "/board")]
async fn board(mut db: TenantConn) -> Result<Json<Vec<(String, String)>>> {
    let rows = todos::table
        .inner_join(projects::table)
        .select((projects::name, todos::title))
        .order(todos::title)
        .load(&mut db)
        .await?;
    Ok(Json(rows))
}

#[tenant_handler(get, "/countries")]
async fn atlas(mut db: TenantConn) -> Result<Json<Vec<Country>>> {
    let all = Country::query().order(countries::code);
    Ok(Json(all.load(&mut db).await?))
}

#[tenant_handler(get, "/export", feature = "exports")]
async fn export(mut db: TenantConn) -> Result<Json<Vec<Todo>>> {
    Ok(Json(Todo::query().load(&mut db).await?))
}

/// Holds a connection for so many milliseconds.
#[tenant_handler(get, "/hold/{millis}")]
async fn hold(Path(millis): Path<u64>, mut db: TenantConn) -> Result<&'static str> {
    Todo::query().load::<Todo>(&mut db).await?;
    tokio::time::sleep(Duration::from_millis(millis)).await;
    Ok("held")
}

#[tenant_handler(post, "/panic")]
async fn falter(mut db: TenantConn) -> Result<()> {
    db.transaction(async |conn| {
        let new = NewTodo {
            id: None,
            title: "never".to_owned(),
            done: None,
            project_id: None,
        };
        new.insert(conn).await?;
        panic!("a mistake of the application's")
    })
    .await
}

/// Lists a tenant's todos from a job that outlives nothing of the request but
/// its tenant.
#[tenant_handler(get, "/job")]
async fn job(db: TenantDb) -> Result<Json<Vec<Todo>>> {
    let job = tokio::spawn(async move {
        let mut conn = db.conn().await?;
        Ok::<_, Error>(Todo::query().load(&mut conn).await?)
    });
    Ok(Json(job.await.map_err(Error::internal)??))
}

/// The shop; no tenant is registered yet.
pub(crate) fn app(isolation: Isolation) -> App {
    App::new("shop", "1.0.0")
        .membership(tenancy::admit::Gateway)
        .isolation(isolation)
        .model::<Todo>()
        .model::<Project>()
        .model::<Country>()
        .route::<health>()
        .route::<whoami>()
        .route::<me>()
        .route::<list>()
        .route::<create>()
        .route::<show>()
        .route::<update>()
        .route::<remove>()
        .route::<found>()
        .route::<board>()
        .route::<atlas>()
        .route::<export>()
        .route::<hold>()
        .route::<falter>()
        .route::<job>()
}

/// A tenant that every hybrid isolation makes a premium one.
pub(crate) const PREMIUM: &str = "acme-corp";

/// Every isolation, with the strategies of the premium tenant and of others.
pub(crate) fn isolations() -> Vec<(Isolation, [&'static str; 2])> {
    let single = Isolation::single;
    let hybrid =
        |premium, standard| Isolation::hybrid(premium, standard).premium_tenants([PREMIUM]);
    vec![
        (single(Strategy::Rls), ["rls", "rls"]),
        (single(Strategy::Schema), ["schema", "schema"]),
        (single(Strategy::Database), ["database", "database"]),
        (hybrid(Strategy::Schema, Strategy::Rls), ["schema", "rls"]),
        (hybrid(Strategy::Rls, Strategy::Schema), ["rls", "schema"]),
        (
            hybrid(Strategy::Database, Strategy::Rls),
            ["database", "rls"],
        ),
        (
            hybrid(Strategy::Rls, Strategy::Database),
            ["rls", "database"],
        ),
        (
            hybrid(Strategy::Schema, Strategy::Database),
            ["schema", "database"],
        ),
        (
            hybrid(Strategy::Database, Strategy::Schema),
            ["database", "schema"],
        ),
    ]
}
