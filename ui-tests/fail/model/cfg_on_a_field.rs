use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    #[cfg(debug_assertions)]
    pub trace: String,
}

fn main() {}
