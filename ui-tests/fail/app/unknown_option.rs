use tenancy::prelude::*;

#[tenancy::app(isolaton = "rls", theme = "dark")]
async fn main(_app: App) {}
