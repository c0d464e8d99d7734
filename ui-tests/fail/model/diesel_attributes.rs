use tenancy::prelude::*;

#[tenant_model]
#[diesel(table_name = tasks)]
pub struct Todo {
    pub id: Uuid,
    #[diesel(column_name = heading)]
    pub title: String,
}

fn main() {}
