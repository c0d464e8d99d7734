use tenancy::prelude::*;

#[tenant_handler(post, "/todos")]
async fn create(_raw: String, Json(_title): Json<String>) {}

fn main() {}
