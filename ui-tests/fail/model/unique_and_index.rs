use tenancy::prelude::*;

#[tenant_model(index(title))]
pub struct Todo {
    pub id: Uuid,
    #[column(unique)]
    pub title: String,
    #[column(unique, index)]
    pub slug: String,
}

fn main() {}
