use tenancy::prelude::*;

#[tenant_handler(GET, "/upper")]
async fn upper() {}

#[tenant_handler(pst, "/near")]
async fn near() {}

#[tenant_handler(subscribe, "/far")]
async fn far() {}

fn main() {}
