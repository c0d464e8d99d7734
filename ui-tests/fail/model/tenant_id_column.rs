use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    #[column(name = "tenant_id")]
    pub owner: Uuid,
}

fn main() {}
