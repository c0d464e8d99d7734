use tenancy::prelude::*;

#[tenant_model]
pub struct Todo<'a> {
    pub id: Uuid,
    pub title: &'a str,
}

fn main() {}
