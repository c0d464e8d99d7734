use tenancy::prelude::*;

#[tenant_model]
pub struct User {
    pub id: i64,
}

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    #[column(references = User)]
    pub owner: Uuid,
}

fn main() {}
