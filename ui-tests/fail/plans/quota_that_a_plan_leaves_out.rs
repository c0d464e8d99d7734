use tenancy::prelude::*;

tenancy::quotas! { users }

#[derive(Clone, Copy, Plans)]
enum Plan {
    #[plan(default)]
    Starter,
    #[plan(quotas(users = 50))]
    Pro,
}

fn main() {}
