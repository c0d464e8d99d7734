use tenancy::prelude::*;

#[tenant_handler(gett, "todos/:id", tenant = "non", featur = "exports")]
fn update(Json(_title): Json<String>, _tenant: Tenant) {}

fn main() {}
