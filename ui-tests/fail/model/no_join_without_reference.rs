use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    #[column(no_join)]
    pub owner: Uuid,
}

fn main() {}
