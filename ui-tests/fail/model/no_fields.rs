use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {}

fn main() {}
