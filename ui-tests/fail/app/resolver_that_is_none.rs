use tenancy::prelude::*;

struct ByKey;

#[tenancy::app(resolver = ByKey)]
async fn main(_app: App) {}
