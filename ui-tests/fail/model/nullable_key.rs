use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub id: Option<Uuid>,
    pub title: String,
}

fn main() {}
