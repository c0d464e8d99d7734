use tenancy::prelude::*;

tenancy::quotas! { users }

#[tenant_model(quota = "user")]
pub struct Member {
    pub id: Uuid,
}

fn main() {}
