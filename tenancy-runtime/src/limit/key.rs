//! What is counted together, and what that is called in Redis.

use crate::plan::{Per, RateLimit};
use crate::tenant::TenantId;

/// What is counted: a tenant's requests to one route, or to all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// The id and not the slug, which another tenant may get one day.
    pub(super) tenant: TenantId,
    pub(super) route: Option<&'static str>,
    /// Slices of different lengths do not add up.
    pub(super) per: Per,
}

/// A key with the limit that holds for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counter {
    pub(super) key: Key,
    pub(super) limit: RateLimit,
}

impl Key {
    /// Its name in Redis, where several applications may count. Of two names of
    /// free form each says its length, so that no two keys have one name. The
    /// braces keep a tenant's keys on one node of a cluster, which the script
    /// needs.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    pub(super) fn name(&self, application: &str) -> String {
        let (tenant, per) = (self.tenant, self.per.as_str());
        let start = format!(
            "tenancy:limit:{{{tenant}}}:{per}:{}:{application}",
            application.len()
        );
        match self.route {
            None => format!("{start}:tenant"),
            Some(route) => format!("{start}:route:{}:{route}", route.len()),
        }
    }
}
