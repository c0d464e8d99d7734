use tenancy::prelude::*;

tenancy::quotas! { users }

#[derive(Clone, Copy, Plans)]
enum Plan {
    #[plan(default, quotas(user = 5))]
    Starter,
}

fn main() {}
