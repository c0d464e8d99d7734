//! A plain row does not know its tenant, so Diesel does not take it for its key.

use tenancy::prelude::*;

#[tenant_model]
struct Todo {
    id: i64,
    title: String,
}

fn change(todo: &Todo) {
    diesel::update(todo);
}

fn main() {}
