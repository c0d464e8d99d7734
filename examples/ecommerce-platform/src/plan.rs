//! What shops pay for.

use tenancy::prelude::*;

/// What a shop may do, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Plans)]
pub(super) enum Plan {
    /// For small shops.
    #[plan(default, quotas(products = 100))]
    Starter,
    /// For those that want to know how they are doing.
    #[plan(features(sales_report), quotas(products = 10_000))]
    Pro,
    /// For large ones.
    #[plan(features(all), quotas(products = unlimited))]
    Enterprise,
}
