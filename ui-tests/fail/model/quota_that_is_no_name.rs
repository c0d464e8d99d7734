use tenancy::prelude::*;

tenancy::quotas! { users }

#[tenant_model(quota = "all users")]
pub struct Member {
    pub id: Uuid,
}

fn main() {}
