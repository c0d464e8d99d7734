use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub title: String,
    pub done: bool,
}

fn main() {}
