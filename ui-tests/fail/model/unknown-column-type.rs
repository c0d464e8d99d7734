use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    pub colour: Colour,
}

#[derive(Debug, Clone)]
pub struct Colour;

fn main() {}
