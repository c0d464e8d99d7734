use tenancy::prelude::*;

#[derive(Clone, Copy, Plans)]
enum Plan {
    #[plan(default, rate_limit = "1000/minute")]
    Starter,
}

fn main() {}
