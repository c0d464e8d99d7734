use tenancy::prelude::*;

#[tenant_model]
pub struct Todo<T> {
    pub id: Uuid,
    #[column(index)]
    pub value: T,
}

fn main() {}
