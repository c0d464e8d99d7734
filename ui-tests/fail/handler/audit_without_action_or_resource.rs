use tenancy::prelude::*;

#[tenant_handler(post, "/posts", audit(action = "publish"))]
async fn publish() {}

#[tenant_handler(delete, "/posts", audit(resource = "post"))]
async fn remove() {}

#[tenant_handler(put, "/posts", audit())]
async fn replace() {}

fn main() {}
