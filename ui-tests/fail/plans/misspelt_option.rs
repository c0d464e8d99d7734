use tenancy::prelude::*;

tenancy::features! { exports }

#[derive(Clone, Copy, Plans)]
enum Plan {
    #[plan(default)]
    Starter,
    #[plan(feature(exports), rate_limits = "5/min")]
    Pro,
}

fn main() {}
