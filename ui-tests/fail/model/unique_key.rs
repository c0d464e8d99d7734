use tenancy::prelude::*;

#[tenant_model(unique(id))]
pub struct Todo {
    #[column(index)]
    pub id: Uuid,
}

fn main() {}
