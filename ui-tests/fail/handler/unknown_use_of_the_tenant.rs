use tenancy::prelude::*;

#[tenant_handler(get, "/todos", tenant = "optionl")]
async fn list() {}

fn main() {}
