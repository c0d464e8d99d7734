use tenancy::prelude::*;

#[tenant_model]
pub struct Address {
    pub id: Uuid,
    #[column(unique)]
    pub primary: Option<bool>,
}

fn main() {}
