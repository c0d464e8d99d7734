use tenancy::prelude::*;

tenancy::quotas! { users, seats }

#[derive(Clone, Copy, Plans)]
enum Plan {
    #[plan(default, quotas(users = many, seats = -1))]
    Starter,
}

fn main() {}
