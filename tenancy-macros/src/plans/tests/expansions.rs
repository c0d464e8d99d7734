use quote::quote;

use crate::common::testing::assert_expansion;

use super::plans;

#[test]
fn plans_with_everything() {
    assert_expansion!(plans(quote! {
        enum Plan {
            #[plan(default, quotas(users = 5, seats = 0))]
            Starter,
            #[plan(features(exports, crate::more::features::forecasts), rate_limit = "1000/min", quotas(seats = 9, users = 50))]
            BigTeam,
            #[plan(name = "enterprise-2026", features(all), quotas(users = unlimited, seats = unlimited))]
            Enterprise,
        }
    }));
}

#[test]
fn plans_that_say_nothing() {
    assert_expansion!(plans(quote! {
        pub enum Plan {
            #[plan(default)]
            Only,
        }
    }));
}

#[test]
fn a_mistake_leaves_plans_behind() {
    assert_expansion!(plans(quote! {
        enum Plan {
            Starter,
        }
    }));
}
