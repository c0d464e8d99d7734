use tenancy::prelude::*;

#[shared_model]
pub struct Plan {
    pub id: i64,
}

pub async fn change(db: &mut TenantConn) -> Result<()> {
    Plan::delete(1, db).await
}

fn main() {}
