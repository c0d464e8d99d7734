use tenancy::prelude::*;

#[tenancy::app(isolation = "rls")]
fn main(_app: App) {}
