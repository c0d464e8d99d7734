//! How often tenants may come, from what is declared and what is configured.

use super::builder::Route;
use crate::config::{self, Config};
use crate::error::Result;
use crate::limit::{Limits, WithoutRedis};
use crate::plan::Catalog;
use crate::problem::Problem;

/// What is wrong between the routes' limits and the configuration. With a limit
/// for all requests the configuration alone has said so.
pub(super) fn problems(config: &Config, routes: &[Route]) -> Option<Problem> {
    let limits = &config.rate_limits;
    let chosen = limits.redis_url.is_none() || limits.without_redis.is_some();
    (!chosen && routes.iter().any(|route| route.limit.is_some())).then(config::no_choice)
}

/// The limits, ready for the first request.
pub(super) async fn of(
    application: &'static str,
    config: &Config,
    plans: Option<&Catalog>,
    routes: &[Route],
) -> Result<Limits> {
    let settings = &config.rate_limits;
    let mut plans = plans.iter().flat_map(|plans| plans.plans());
    if plans.any(|plan| plan.rate_limit.is_some()) && settings.every_tenant.is_none() {
        tracing::warn!("the limits of plans do nothing without TENANCY_ENABLE_RATE_LIMITING=true");
    }
    let used = settings.every_tenant.is_some() || routes.iter().any(|route| route.limit.is_some());
    let limits = Limits::in_memory(application, settings.every_tenant);
    let limits = match &settings.redis_url {
        // A limit that nobody knew of at the start is one of a router that was
        // merged: without a choice it is not let through unseen.
        Some(url) => {
            limits.in_redis(url, settings.without_redis.unwrap_or(WithoutRedis::Refuse))?
        }
        None => limits,
    };
    if used {
        limits.prepare().await;
    }
    Ok(limits)
}
