use tenancy::prelude::*;

#[tenant_handler(
    post,
    "/posts",
    audit(
        action = "publish",
        resource = "a post of the tenant's own, a post of the tenant's own, a post of the tenant's own, a post of the tenant's own, a post of the tenant's own, a post of the tenant's own, a post of the tenant's own, a post of the tenant's own"
    )
)]
async fn publish() {}

fn main() {}
