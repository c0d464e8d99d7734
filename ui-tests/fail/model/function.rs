use tenancy::prelude::*;

#[tenant_model]
pub fn todo() {}

fn main() {}
