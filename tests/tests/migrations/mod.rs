//! Tables that the application's own migrations make: the same in every layout,
//! protected like generated ones, and each place in step with its ledger.

mod layouts;
mod protection;
mod runs;

use integration::database::Database;
use integration::http::{Login, Served, start};
use tenancy::Isolation;
use tenancy::prelude::*;
use tenancy::provision::Migration;

use crate::shop;

/// What tasks are on.
#[tenant_model(migrated)]
pub struct List {
    /// The key.
    pub id: i64,
    /// Unique for the tenant.
    #[column(unique)]
    pub name: String,
}

/// Something to do.
#[tenant_model(migrated, unique(list_id, title))]
pub struct Task {
    /// The key.
    pub id: i64,
    /// Unique on its list.
    pub title: String,
    /// Whether it is done.
    #[column(default = "false")]
    pub done: bool,
    /// The list that it is on.
    #[column(references = List)]
    pub list_id: Option<i64>,
    /// What must be done before.
    #[column(references = Task)]
    pub follows: Option<i64>,
    /// Where.
    #[column(references = shop::Country)]
    pub country: Option<String>,
}

#[tenant_handler(get, "/tasks")]
async fn all(mut db: TenantConn) -> Result<Json<Vec<Task>>> {
    Ok(Json(Task::query().order(tasks::id).load(&mut db).await?))
}

#[tenant_handler(post, "/tasks")]
async fn add(mut db: TenantConn, Json(new): Json<NewTask>) -> Result<(StatusCode, Json<Task>)> {
    Ok((StatusCode::CREATED, Json(new.insert(&mut db).await?)))
}

#[tenant_handler(post, "/lists")]
async fn open(mut db: TenantConn, Json(new): Json<NewList>) -> Result<(StatusCode, Json<List>)> {
    Ok((StatusCode::CREATED, Json(new.insert(&mut db).await?)))
}

/// Opens a list, or finds the one of this name.
#[tenant_handler(patch, "/lists")]
async fn ensure(mut db: TenantConn, Json(new): Json<NewList>) -> Result<Json<List>> {
    let name = new.name.clone();
    let list = diesel::insert_into(lists::table)
        .values(new)
        .on_conflict(diesel::upsert::on_constraint(List::NAME_KEY))
        .do_update()
        .set(lists::name.eq(name))
        .get_result(&mut db)
        .await?;
    Ok(Json(list))
}

#[tenant_handler(delete, "/lists/{id}")]
async fn close(Path(id): Path<i64>, mut db: TenantConn) -> Result<StatusCode> {
    List::delete(id, &mut db).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Each task with its list.
#[tenant_handler(get, "/plan")]
async fn plan(mut db: TenantConn) -> Result<Json<Vec<(String, String)>>> {
    let rows = tasks::table
        .inner_join(lists::table)
        .select((lists::name, tasks::title))
        .order(tasks::id)
        .load(&mut db)
        .await?;
    Ok(Json(rows))
}

/// Two folders in `tests/migrations`.
static FOLDER: &[Migration] = tenancy::migrations!("migrations");

/// The application whose tables are made by `migrations`.
fn app(isolation: Isolation, migrations: &'static [Migration]) -> App {
    bare(isolation, migrations)
        .model::<List>()
        .model::<Task>()
        .route::<all>()
        .route::<add>()
        .route::<open>()
        .route::<ensure>()
        .route::<close>()
        .route::<plan>()
}

/// Migrations, and no model of what they make.
fn bare(isolation: Isolation, migrations: &'static [Migration]) -> App {
    App::new("tasks", "1.0.0")
        .membership(tenancy::admit::Gateway)
        .isolation(isolation)
        .model::<shop::Country>()
        .migrations(migrations)
}

const fn step(version: &'static str, sql: &'static str) -> Migration {
    Migration {
        version,
        name: "step",
        sql,
    }
}

/// Why the application does not start, one line for each problem.
async fn refusal(app: App, database: &Database) -> Vec<String> {
    match start(app, database, Login::Both, &[]).await {
        Ok(_) => panic!("the application has started"),
        Err(Error::CannotStart(problems)) => problems.iter().map(ToString::to_string).collect(),
        Err(error) => panic!("{error}"),
    }
}

async fn verified(served: &Served) -> Vec<String> {
    let problems = served.tenancy.verify().await.expect("the catalog");
    problems.iter().map(ToString::to_string).collect()
}

/// The schema of a tenant's own.
async fn schema_of(database: &Database, slug: &str) -> String {
    let schema = format!("SELECT schema_name FROM tenancy.tenants WHERE slug = '{slug}'");
    database.value(&schema).await
}

/// The versions in a place's ledger.
async fn ledger(database: &Database, schema: &str) -> String {
    let sql = format!(
        "SELECT coalesce(string_agg(version, ' ' ORDER BY version), '') \
         FROM {schema}.tenancy_migrations"
    );
    database.value(&sql).await
}
