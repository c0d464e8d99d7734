use tenancy::prelude::*;

#[tenant_model(table = "Todos")]
pub struct Todo {
    pub id: Uuid,
}

#[tenant_model]
pub struct Tenant {
    pub id: Uuid,
}

#[tenant_model(table = "tenant")]
pub struct Customer {
    pub id: Uuid,
}

fn main() {}
