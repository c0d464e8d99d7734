use tenancy::prelude::*;

#[derive(Clone, Copy, Plans)]
enum Plan {
    #[plan(default)]
    Starter,
    #[plan(default)]
    Pro,
}

fn main() {}
