//! What names a row is its key, or a row that knows its tenant; of this model.

use tenancy::prelude::*;

#[tenant_model]
struct Project {
    id: i64,
    name: String,
}

#[tenant_model]
struct Todo {
    id: i64,
    title: String,
}

async fn plain(todo: Todo, mut db: TenantConn) -> Result<()> {
    Todo::delete(&todo, &mut db).await
}

async fn of_another_model(project: Owned<Project>, mut db: TenantConn) -> Result<Todo> {
    TodoChanges::default().update(&project, &mut db).await
}

fn main() {}
