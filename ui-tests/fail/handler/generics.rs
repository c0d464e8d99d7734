use tenancy::prelude::*;

#[tenant_handler(get, "/named")]
async fn named<T: Send>(_value: Option<T>) {}

#[tenant_handler(get, "/anonymous")]
async fn anonymous(_value: impl Send) {}

fn main() {}
