use tenancy::prelude::*;

#[tenant_model(tabel = "people")]
pub struct Person {
    pub id: Uuid,
}

fn main() {}
