use tenancy::prelude::*;

#[tenant_model]
pub struct Seat {
    #[column(primary_key)]
    pub row: i32,
    #[column(primary_key)]
    pub number: i32,
}

#[tenant_model]
pub struct Ticket {
    pub id: Uuid,
    #[column(references = Seat)]
    pub seat: i32,
}

fn main() {}
