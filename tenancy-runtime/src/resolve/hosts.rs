use axum::http::request::Parts;

use super::{Resolution, SubdomainResolver};
use crate::error::Result;
use crate::http::{HostName, Origin};

/// The hosts that are tenants', where hosts name them.
#[derive(Debug, Clone, Default)]
pub(crate) struct TenantHosts(Vec<SubdomainResolver>);

impl TenantHosts {
    /// Those that these ways tell tenants by.
    pub(crate) fn of(ways: &[Resolution]) -> Self {
        let by_host = ways.iter().filter_map(|way| match way {
            Resolution::Subdomain(resolver) => Some(resolver.clone()),
            _ => None,
        });
        Self(by_host.collect())
    }

    /// Whether a request is sent to a host that is a tenant's, or would be if there
    /// were one of the name: who asks does not find out which there are. Where tenants
    /// bring domains, that is every host but the suffix, and those without a dot, which
    /// nobody brings.
    ///
    /// # Errors
    ///
    /// [`Error::TenantUnresolved`](crate::error::Error::TenantUnresolved) where the
    /// request names several hosts, or none that can be read.
    pub(crate) fn have(&self, request: &Parts) -> Result<bool> {
        if self.0.is_empty() {
            return Ok(false);
        }
        let origin = Origin::from_parts(request);
        let mut named = origin.host()?.into_iter().chain(origin.proxied());
        Ok(named.any(|host| self.0.iter().any(|way| is_tenants(way, host))))
    }
}

fn is_tenants(way: &SubdomainResolver, host: &HostName) -> bool {
    if host == way.domain() {
        return false;
    }
    host.below(way.domain()).is_some() || way.has_custom_domains() && host.as_str().contains('.')
}
