use tenancy::prelude::*;

#[tenant_model(migrated, index(done))]
pub struct Todo {
    pub id: Uuid,
    #[column(index)]
    pub title: String,
    pub done: bool,
}

fn main() {}
