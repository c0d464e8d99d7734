use tenancy::prelude::*;

#[tenant_model]
#[derive(PartialEq, diesel::Identifiable)]
struct Todo {
    id: i64,
    title: String,
}

fn main() {}
