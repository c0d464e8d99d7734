use tenancy::prelude::*;

#[tenant_model(unique(title, done), unique(done, title), index(done), index(done))]
pub struct Todo {
    pub id: Uuid,
    pub title: String,
    pub done: bool,
}

fn main() {}
