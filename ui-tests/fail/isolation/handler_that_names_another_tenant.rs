//! The tenant is in the connection, not an argument of the query.

use tenancy::prelude::*;
use tenancy::tenant::TenantId;

#[tenant_model]
struct Todo {
    id: Uuid,
    title: String,
}

async fn of_another(mut db: TenantConn, other: TenantId) -> Result<Vec<Todo>> {
    let rows = Todo::query().filter(todos::tenant_id.eq(other));
    Ok(rows.load(&mut db).await?)
}

fn main() {}
