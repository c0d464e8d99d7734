use tenancy::prelude::*;

#[tenancy::app(isolation = "hybrid", premium = "shema", standard = "tables")]
async fn main(_app: App) {}
