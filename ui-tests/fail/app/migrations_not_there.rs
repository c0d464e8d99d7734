use tenancy::prelude::*;

#[tenancy::app(isolation = "rls", migrations = "migratons")]
async fn main(_app: App) {}
