use tenancy::prelude::*;

#[tenant_handler(post, "/posts", audit = "publish")]
async fn publish() {}

#[tenant_handler(delete, "/posts", audit(action = remove, resource = "post"))]
async fn remove() {}

#[tenant_handler(put, "/posts", audit("replace", resource = "post"))]
async fn replace() {}

fn main() {}
