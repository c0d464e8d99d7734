use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    pub title: String,
}

pub fn forge(other: Uuid) -> NewTodo {
    NewTodo {
        id: None,
        title: String::new(),
        tenant_id: other,
    }
}

fn main() {}
