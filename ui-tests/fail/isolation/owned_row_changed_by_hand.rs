//! A row that knows its tenant stays the row that was read.

use tenancy::prelude::*;

#[tenant_model]
struct Todo {
    id: i64,
    title: String,
}

fn renumber(todo: &mut Owned<Todo>) {
    todo.id = 2;
}

fn main() {}
