use tenancy::prelude::*;

#[derive(Clone, Copy, Plans)]
enum Plan {
    #[plan(default)]
    BigTeam,
    #[plan(name = "big_team")]
    Team,
}

fn main() {}
