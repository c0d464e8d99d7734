use tenancy::prelude::*;

#[tenancy::app(isolation = "rls")]
struct Application(App);

fn main() {}
