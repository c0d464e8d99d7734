use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    pub title: String,
    #[column(name = "title")]
    pub heading: String,
}

fn main() {}
