use tenancy::prelude::*;

#[tenancy::app(isolation = "hybird")]
async fn main(_app: App) {}
