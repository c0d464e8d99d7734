use tenancy::prelude::*;

#[tenant_handler(post, "/posts", audit(acton = "publish", resource = "post"))]
async fn publish() {}

#[tenant_handler(delete, "/posts", audit(action = "remove", resource = "post", actor = "ada"))]
async fn remove() {}

fn main() {}
