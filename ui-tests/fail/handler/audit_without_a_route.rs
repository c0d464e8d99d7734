use tenancy::prelude::*;

#[tenant_handler(audit(action = "publish", resource = "post"))]
async fn publish() {}

fn main() {}
