use tenancy::prelude::*;

#[tenant_model]
pub enum Colour {
    Red,
    Mixed {
        #[column(unique)]
        name: String,
    },
}

fn main() {}
