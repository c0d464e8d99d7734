use tenancy::prelude::*;

tenancy::quotas! { countries }

#[shared_model(quota = "countries")]
pub struct Country {
    pub id: i32,
}

fn main() {}
