use tenancy::prelude::*;

#[tenant_model(no_derive(Debgu, Queryable))]
pub struct Todo {
    pub id: Uuid,
}

fn main() {}
