use tenancy::prelude::*;

#[tenant_model(tabel = "tasks", unique(titel))]
pub struct Todo {
    pub id: u64,
    #[column(uniqe, default = "")]
    pub title: String,
    pub tenant_id: Uuid,
    #[column(name = "title")]
    pub heading: String,
}

fn main() {}
