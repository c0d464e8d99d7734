use tenancy::prelude::*;

#[tenant_model]
pub struct User {
    pub id: i64,
}

#[shared_model]
pub struct Plan {
    pub id: i64,
    #[column(references = User)]
    pub author: i64,
}

fn main() {}
