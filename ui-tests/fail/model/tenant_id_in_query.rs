use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    pub title: String,
}

pub async fn forge(db: &mut TenantConn, other: Uuid) -> Result<Vec<Todo>> {
    Ok(Todo::query()
        .filter(todos::tenant_id.eq(other))
        .load(db)
        .await?)
}

fn main() {}
