use tenancy::prelude::*;

#[derive(Clone, Copy, Plans)]
struct Plan {
    starter: bool,
}

fn main() {}
