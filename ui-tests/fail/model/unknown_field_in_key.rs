use tenancy::prelude::*;

#[tenant_model(unique(titel), index(done, done))]
pub struct Todo {
    pub id: Uuid,
    pub title: String,
    pub done: bool,
}

fn main() {}
