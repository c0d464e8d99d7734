use tenancy::prelude::*;

tenancy::features! { advanced_analytics, exports }

#[derive(Clone, Copy, Plans)]
enum Plan {
    #[plan(default)]
    Starter,
    #[plan(features(exports, advanced_analytic))]
    Pro,
}

fn main() {}
