use tenancy::prelude::*;

tenancy::features! { exports }

type T = Tenant;

#[tenant_handler(get, "/many", feature = "exports")]
async fn many(
    _: T, _: T, _: T, _: T, _: T, _: T, _: T, _: T,
    _: T, _: T, _: T, _: T, _: T, _: T, _: T, _: T,
) -> &'static str {
    "many"
}

fn main() {}
