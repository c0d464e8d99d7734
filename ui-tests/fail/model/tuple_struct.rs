use tenancy::prelude::*;

#[tenant_model]
pub struct Todo(Uuid, String);

fn main() {}
