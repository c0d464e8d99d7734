use async_trait::async_trait;
use axum::http::request::Parts;

use super::{Candidate, Resolver};
use crate::error::{Error, Result};
use crate::http::{HostName, InvalidHostName, Origin};

/// Reads the tenant's slug from the host: `acme-corp.myapp.com` with the suffix
/// `.myapp.com`.
///
/// The bare suffix and hosts that are not below it name no tenant; deeper ones
/// (`a.b.myapp.com`) are refused. Behind a proxy that changes `Host`, list it in
/// `TENANCY_TRUSTED_PROXIES`: from others `X-Forwarded-Host` and `Forwarded` are
/// ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubdomainResolver {
    domain: HostName,
}

impl SubdomainResolver {
    /// Reads what stands before this suffix, with or without its leading dot.
    ///
    /// # Panics
    ///
    /// If `suffix` is not a domain. In `#[tenancy::app]` that is a compile error
    /// instead.
    #[must_use]
    pub fn new(suffix: &str) -> Self {
        match Self::parse(suffix) {
            Ok(resolver) => resolver,
            Err(error) => panic!("the suffix is no domain: {error}"),
        }
    }

    pub(crate) fn parse(suffix: &str) -> Result<Self, InvalidHostName> {
        let domain = suffix.strip_prefix('.').unwrap_or(suffix).parse()?;
        Ok(Self { domain })
    }

    /// The domain below which tenants are.
    #[must_use]
    pub fn domain(&self) -> &HostName {
        &self.domain
    }
}

#[async_trait]
impl Resolver for SubdomainResolver {
    async fn resolve(&self, request: &Parts) -> Result<Option<Candidate>> {
        let origin = Origin::from_parts(request);
        let Some(label) = origin.host()?.and_then(|host| host.below(&self.domain)) else {
            return Ok(None);
        };
        // A proxy that was spoken to as one of our hosts, and names another: who
        // stands in front has decided by the one, and the other may be the client's.
        let ours = |host: &&HostName| **host == self.domain || host.below(&self.domain).is_some();
        let proxied = origin.proxied().filter(ours);
        if proxied.is_some_and(|proxied| proxied.below(&self.domain) != Some(label)) {
            return Err(Error::TenantUnresolved);
        }
        let slug = label.parse().map_err(|_| Error::TenantUnresolved)?;
        Ok(Some(Candidate::new(slug)))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    async fn resolve(host: &str) -> Result<Option<String>> {
        let request = Request::get("/").header("host", host).body(());
        let (parts, ()) = request.unwrap().into_parts();
        let candidate = SubdomainResolver::new(".myapp.com").resolve(&parts).await?;
        Ok(candidate.map(|candidate| candidate.slug().to_string()))
    }

    #[tokio::test]
    async fn a_host_below_the_suffix_names_a_tenant_however_it_is_written() {
        for host in [
            "acme-corp.myapp.com",
            "ACME-Corp.MyApp.com.",
            "acme-corp.myapp.com:8000",
        ] {
            let found = resolve(host).await.unwrap();
            assert_eq!(found.as_deref(), Some("acme-corp"), "{host}");
        }
        for host in [
            "myapp.com",
            "myapp.com.:443",
            "localhost",
            "127.0.0.1:8000",
            "acme.evil.com",
        ] {
            assert_eq!(resolve(host).await.unwrap(), None, "{host}");
        }
    }

    #[tokio::test]
    async fn what_names_no_tenant_in_one_label_is_refused() {
        for host in [
            "a.b.myapp.com",
            "ab.myapp.com",
            ".myapp.com",
            "-ab.myapp.com",
            "a_b.myapp.com",
        ] {
            let refused = resolve(host).await;
            assert!(matches!(refused, Err(Error::TenantUnresolved)), "{host}");
        }
    }

    #[tokio::test]
    async fn a_proxy_that_speaks_to_one_tenant_and_names_another_is_refused() {
        for (host, refused) in [
            ("globex.myapp.com", true),
            ("myapp.com", true),
            ("up:80", false),
        ] {
            let request = Request::get("/").header("host", host);
            let request = request.header("x-forwarded-host", "acme-corp.myapp.com");
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            let peer = std::net::SocketAddr::from(([10, 0, 0, 1], 1));
            parts.extensions.insert(axum::extract::ConnectInfo(peer));
            let origin = Origin::of(&parts, &"10.0.0.1".parse().unwrap());
            parts.extensions.insert(origin);
            let found = SubdomainResolver::new("myapp.com").resolve(&parts).await;
            assert_eq!(found.is_err(), refused, "{host}");
        }
    }

    #[test]
    #[should_panic(expected = "the suffix is no domain")]
    fn a_suffix_that_is_no_domain_is_refused() {
        let _ = SubdomainResolver::new(".my app.com");
    }
}
