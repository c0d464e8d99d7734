use tenancy::prelude::*;

#[tenant_model(table = "a", table = "b")]
pub struct Todo {
    pub id: Uuid,
    #[column(unique, unique)]
    pub title: String,
}

fn main() {}
