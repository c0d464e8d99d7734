//! What is sold.

use tenancy::prelude::*;

/// How often a tenant may ask, where `TENANCY_ENABLE_RATE_LIMITING` is on, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Plans)]
pub(super) enum Plan {
    /// For trying out.
    #[plan(default, rate_limit = "600/min")]
    Starter,
    /// With what the events add up to.
    #[plan(features(advanced_analytics), rate_limit = "6000/min")]
    Pro,
    /// With everything that there is and will be.
    #[plan(features(all), rate_limit = "60000/min")]
    Enterprise,
}
