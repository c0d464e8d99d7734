use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    #[column(default = "7")]
    pub id: i64,
}

fn main() {}
