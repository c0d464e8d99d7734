use tenancy::prelude::*;

#[derive(Clone, Copy, Plans)]
enum Plan {
    Starter,
    Pro,
}

fn main() {}
