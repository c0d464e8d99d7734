use tenancy::prelude::*;

#[derive(Plans)]
enum Plan {
    #[plan(default)]
    Starter,
}

fn main() {}
