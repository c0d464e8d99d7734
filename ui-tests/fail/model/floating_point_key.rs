use tenancy::prelude::*;

#[tenant_model]
pub struct Reading {
    #[column(primary_key)]
    pub value: f64,
}

fn main() {}
