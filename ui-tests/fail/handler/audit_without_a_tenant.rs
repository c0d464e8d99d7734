use tenancy::prelude::*;

#[tenant_handler(post, "/posts", tenant = "none", audit(action = "publish", resource = "post"))]
async fn publish() {}

#[tenant_handler(
    delete,
    "/posts",
    tenant = "optional",
    audit(action = "remove", resource = "post")
)]
async fn remove() {}

fn main() {}
