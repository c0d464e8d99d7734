use tenancy::prelude::*;

#[derive(Clone, Copy, Plans)]
enum Plan {
    #[plan(default, quotas(users = 5))]
    Starter,
}

fn main() {}
