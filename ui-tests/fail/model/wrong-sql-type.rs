use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    #[column(sql_type = "integer")]
    pub title: String,
}

fn main() {}
