use tenancy::prelude::*;

#[tenant_model]
pub struct User {
    pub id: Uuid,
}

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    #[column(references = User)]
    pub owner: Uuid,
    #[column(references = crate::User)]
    pub deputy: Uuid,
}

fn main() {}
