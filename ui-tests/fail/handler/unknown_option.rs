use tenancy::prelude::*;

tenancy::features! { exports }

#[tenant_handler(get, "/exports", featur = "exports")]
async fn near() {}

#[tenant_handler(get, "/todos", cache = "1m")]
async fn far() {}

fn main() {}
