use tenancy::prelude::*;

struct Page(u32);

#[tenant_handler(get, "/first")]
async fn first(_page: Page, _tenant: Tenant) {}

#[tenant_handler(get, "/last")]
async fn last(_tenant: Tenant, _page: Page) {}

fn main() {}
