use tenancy::prelude::*;

tenancy::quotas! { users }

#[tenant_model(quota = "users", migrated)]
pub struct Member {
    pub id: Uuid,
}

fn main() {}
