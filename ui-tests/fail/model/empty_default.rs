use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    #[column(default = "")]
    pub title: String,
}

fn main() {}
