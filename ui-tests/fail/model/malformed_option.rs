use tenancy::prelude::*;

#[tenant_model(table = people, unique)]
pub struct Person {
    pub id: Uuid,
    #[column(unique = true, default = false)]
    pub active: bool,
    #[column]
    pub name: String,
}

fn main() {}
