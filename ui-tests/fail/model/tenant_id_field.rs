use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub title: String,
}

fn main() {}
