use tenancy::prelude::*;

#[tenant_model]
pub struct Project {
    pub id: Uuid,
}

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    #[column(references = Projct)]
    pub project: Uuid,
}

fn main() {}
