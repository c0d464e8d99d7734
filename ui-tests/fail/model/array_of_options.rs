use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    pub tags: Vec<Option<String>>,
}

fn main() {}
