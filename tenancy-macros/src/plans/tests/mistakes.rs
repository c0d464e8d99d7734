use proc_macro2::TokenStream;
use quote::quote;

use crate::common::testing;

fn of(item: TokenStream) -> Vec<String> {
    testing::mistakes(super::plans(item))
}

#[test]
fn what_is_no_enum_of_plans() {
    assert_eq!(
        of(quote!(
            struct Plan;
        )),
        ["plans are the variants of an enum: write `enum Plan { Starter, Pro }`"]
    );
    assert_eq!(
        of(quote!(
            enum Plan {}
        )),
        ["there is no plan: write one as a variant, such as `Starter`"]
    );
    assert_eq!(
        of(quote!(
            enum Plan<T> {
                #[plan(default)]
                Starter(T),
            }
        )),
        [
            "plans are the same for everyone: drop the generics",
            "a plan is the same for all its tenants: drop the fields",
        ]
    );
}

#[test]
fn the_default() {
    assert_eq!(
        of(quote!(
            enum Plan {
                Starter,
                Pro,
            }
        )),
        [
            "which plan is a tenant on that was given none? Write `#[plan(default)]` on it, for \
             example on `Starter`"
        ]
    );
    assert_eq!(
        of(quote!(
            enum Plan {
                #[plan(default)]
                Starter,
                #[plan(default)]
                Pro,
            }
        )),
        ["`Starter` is the default plan already: keep one"]
    );
}

#[test]
fn options() {
    assert_eq!(
        of(quote!(
            enum Plan {
                #[plan(default, feature(exports))]
                Starter,
                #[plan(features = "exports", rate_limit(5))]
                Pro,
                #[plan(name = "x", name = "y")]
                #[plan]
                Max,
                #[plan(features(exports, exports), rate_limit = "5/fortnight")]
                Ultra,
                #[plan("exports")]
                Hyper,
            }
        )),
        [
            "unknown option `feature`; did you mean `features`? (expected `default`, `name`, \
             `features`, `rate_limit` or `quotas`)",
            "write `features(exports)` or `features(all)`",
            "write `rate_limit = \"1000/min\"`",
            "`name` is given twice; keep one",
            "this says nothing about the plan; write `#[plan(…)]` with options, or remove it",
            "unknown time of a limit `fortnight` (expected `s`, `sec`, `min`, `h`, `hour`, `d` \
             or `day`)",
            "expected an option: `default`, `name`, `features`, `rate_limit` or `quotas`",
        ]
    );
}

#[test]
fn names() {
    assert_eq!(
        of(quote!(
            enum Plan {
                #[plan(default)]
                BigTeam,
                #[plan(name = "big_team")]
                Team,
                #[plan(name = "Big Team")]
                Other,
                #[plan(features(all, exports))]
                All,
                #[plan(features(exports, exports))]
                Twice,
            }
        )),
        [
            "`BigTeam` is stored as \"big_team\" already: give one another `name = \"…\"`",
            "a plan's name has 1 to 63 characters of a-z, 0-9, `-` and `_`",
            "`all` has every feature: drop the others, or drop `all`",
            "`exports` is in `features(…)` twice; once is enough",
        ]
    );
}

#[test]
fn quotas() {
    assert_eq!(
        of(quote!(
            enum Plan {
                #[plan(default, quotas(users = 5))]
                Starter,
                #[plan(quotas(users = many))]
                Pro,
                #[plan(quotas(users = 5000000000, users = 1))]
                Max,
                #[plan(quotas(user = 5))]
                Ultra,
                #[plan(quotas(users))]
                Hyper,
            }
        )),
        [
            "write a number, or `unlimited`",
            "a quota is a whole number from 0 to 4294967295",
            "`users` is in `quotas(…)` twice; keep one",
            "write `quotas(users = 50)` or `quotas(users = unlimited)`",
        ]
    );
    // What is wrong between plans is said when each is right.
    assert_eq!(
        of(quote!(
            enum Plan {
                #[plan(default, quotas(users = 5))]
                Starter,
                Pro,
            }
        )),
        [
            "`Pro` says nothing of the quota `users`, which `Starter` has: write `quotas(users = \
             0)`, another number or `unlimited`"
        ]
    );
}
