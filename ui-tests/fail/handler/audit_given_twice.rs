use tenancy::prelude::*;

#[tenant_handler(
    post,
    "/posts",
    audit(action = "publish", resource = "post"),
    audit(action = "create", resource = "post")
)]
async fn publish() {}

#[tenant_handler(delete, "/posts", audit(action = "remove", resource = "post", action = "drop"))]
async fn remove() {}

fn main() {}
