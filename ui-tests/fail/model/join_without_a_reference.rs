use tenancy::prelude::*;

#[tenant_model]
pub struct Project {
    pub id: Uuid,
}

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
}

fn main() {
    let _ = todos::table.inner_join(projects::table);
}
