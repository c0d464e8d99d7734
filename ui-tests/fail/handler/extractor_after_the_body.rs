use tenancy::prelude::*;

#[tenant_handler(post, "/todos")]
async fn create(Json(_title): Json<String>, _db: TenantConn) {}

#[tenant_handler(post, "/maybe")]
async fn maybe(_title: Option<Json<String>>, _db: TenantConn) {}

fn main() {}
