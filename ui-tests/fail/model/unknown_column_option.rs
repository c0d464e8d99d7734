use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    #[column(uniqe)]
    pub title: String,
    #[column(primary)]
    pub note: Option<String>,
}

fn main() {}
