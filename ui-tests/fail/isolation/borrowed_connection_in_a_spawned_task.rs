//! A connection that is borrowed belongs to its handler: a task that lives on
//! gets a `TenantDb` of its own.

use tenancy::prelude::*;

#[tenant_model]
struct Todo {
    id: Uuid,
    title: String,
}

#[tenant_handler(get, "/todos")]
async fn list(mut db: TenantConn) -> Result<StatusCode> {
    in_the_background(&mut db);
    Ok(StatusCode::ACCEPTED)
}

fn in_the_background(db: &mut TenantConn) {
    tokio::spawn(async move { Todo::query().load::<Todo>(db).await });
}

fn main() {}
