use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    #[column(sql_type = "txt")]
    pub title: String,
    #[column(sql_type = "varchar(0)")]
    pub slug: String,
    #[column(sql_type = "numeric(2, 3)")]
    pub price: String,
}

fn main() {}
