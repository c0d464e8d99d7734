use tenancy::prelude::*;

#[shared_model(migrated)]
pub struct Country {
    pub id: i32,
}

fn main() {}
