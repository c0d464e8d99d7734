use tenancy::prelude::*;

#[tenant_model(unique(first, name), unique(first_name))]
pub struct Person {
    pub id: Uuid,
    pub first: String,
    pub name: String,
    pub first_name: String,
}

fn main() {}
