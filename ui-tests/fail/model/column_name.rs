use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    #[column(name = "Title")]
    pub title: String,
    #[allow(non_snake_case)]
    pub doneAt: NaiveDate,
    pub xmin: i32,
}

fn main() {}
