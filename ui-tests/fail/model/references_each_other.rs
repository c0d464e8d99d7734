use tenancy::prelude::*;

#[tenant_model]
pub struct User {
    pub id: i64,
    #[column(references = Address)]
    pub home: Option<i64>,
}

#[tenant_model]
pub struct Address {
    pub id: i64,
    #[column(references = User)]
    pub owner: i64,
}

fn main() {}
