use tenancy::prelude::*;

#[tenant_model]
pub struct TenancyMigration {
    pub id: Uuid,
}

#[tenant_model(table = "tenancy_keys")]
pub struct Key {
    pub id: Uuid,
}

fn main() {}
