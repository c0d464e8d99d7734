use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    #[column(references = User)]
    pub owner: Uuid,
}

pub struct User;

fn main() {}
