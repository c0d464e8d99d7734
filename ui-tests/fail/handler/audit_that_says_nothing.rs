use tenancy::prelude::*;

#[tenant_handler(post, "/posts", audit(action = "", resource = "  "))]
async fn publish() {}

#[tenant_handler(delete, "/posts", audit(action = "remove\n2026 eve", resource = "post"))]
async fn remove() {}

fn main() {}
