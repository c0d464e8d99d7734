use tenancy::prelude::*;

#[derive(Clone, Copy, Plans)]
enum Plan {
    #[plan(default)]
    Starter(u32),
}

fn main() {}
