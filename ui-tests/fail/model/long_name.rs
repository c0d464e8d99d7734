use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub id: Uuid,
    pub a_name_that_is_longer_than_what_postgresql_keeps_of_one_in_bytes: String,
    #[column(unique)]
    pub a_name_that_fits_and_whose_unique_constraint_has_none_that: String,
}

fn main() {}
