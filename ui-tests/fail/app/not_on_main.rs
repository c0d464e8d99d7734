use tenancy::prelude::*;

#[tenancy::app(isolation = "rls")]
async fn serve(_app: App) {}
