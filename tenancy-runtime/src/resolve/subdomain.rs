use std::sync::Arc;

use async_trait::async_trait;
use axum::http::request::Parts;

use super::{Candidate, Resolver};
use crate::error::{Error, Result};
use crate::http::{HostName, InvalidHostName, Origin};
use crate::registry::TenantCache;
use crate::tenant::TenantRecord;

/// Reads the tenant's slug from the host: `acme-corp.myapp.com` with the suffix
/// `.myapp.com`.
///
/// The bare suffix and hosts that are not below it name no tenant; deeper ones
/// (`a.b.myapp.com`) are refused. Behind a proxy that changes `Host`, list it in
/// `TENANCY_TRUSTED_PROXIES`: from others `X-Forwarded-Host` and `Forwarded` are
/// ignored.
///
/// With [`custom_domains`](Self::custom_domains) a host that is not below the suffix
/// names the tenant that has proved it to be its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubdomainResolver {
    domain: HostName,
    custom_domains: bool,
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
        Ok(Self {
            domain,
            custom_domains: false,
        })
    }

    /// Lets tenants bring domains of their own (`app.customer.com`), which they have
    /// proved: see the module `domains`. They are looked up in the registry, as far
    /// as they are not remembered, when an [`App`](crate::app::App) is given the
    /// resolver; alone it sees subdomains only.
    ///
    /// ```
    /// use tenancy_runtime::app::App;
    /// use tenancy_runtime::isolation::{Isolation, Strategy};
    /// use tenancy_runtime::resolve::SubdomainResolver;
    ///
    /// let app = App::new("shop", "1.0.0")
    ///     .isolation(Isolation::single(Strategy::Rls))
    ///     .resolver(SubdomainResolver::new(".myapp.com").custom_domains());
    /// ```
    #[must_use]
    pub fn custom_domains(mut self) -> Self {
        self.custom_domains = true;
        self
    }

    /// The same below the suffix of another.
    pub(crate) fn at_suffix_of(self, other: &Self) -> Self {
        Self {
            domain: other.domain.clone(),
            ..self
        }
    }

    /// Whether tenants bring domains of their own.
    #[must_use]
    pub fn has_custom_domains(&self) -> bool {
        self.custom_domains
    }

    /// The domain below which tenants are.
    #[must_use]
    pub fn domain(&self) -> &HostName {
        &self.domain
    }
}

/// Whom a host is for.
enum Whose<'a> {
    /// What stands before the suffix; nothing, where that is the whole host.
    Below(Option<&'a str>),
    /// A domain of the tenant's own.
    Own(Arc<TenantRecord>),
    Nobody,
}

impl Whose<'_> {
    fn slug(&self) -> Option<&str> {
        match self {
            Self::Below(label) => *label,
            Self::Own(tenant) => Some(tenant.slug.as_str()),
            Self::Nobody => None,
        }
    }
}

impl SubdomainResolver {
    /// What is below the suffix is never looked up as a domain of somebody's own.
    async fn whose<'a>(
        &self,
        host: &'a HostName,
        tenants: Option<&TenantCache>,
    ) -> Result<Whose<'a>> {
        if *host == self.domain {
            return Ok(Whose::Below(None));
        }
        if let Some(label) = host.below(&self.domain) {
            return Ok(Whose::Below(Some(label)));
        }
        let Some(tenants) = tenants.filter(|_| host.as_str().contains('.')) else {
            return Ok(Whose::Nobody);
        };
        let tenant = tenants.find_by_domain(host).await?;
        Ok(tenant.map_or(Whose::Nobody, Whose::Own))
    }

    async fn candidate(
        &self,
        request: &Parts,
        tenants: Option<&TenantCache>,
    ) -> Result<Option<Candidate>> {
        let origin = Origin::from_parts(request);
        let Some(host) = origin.host()? else {
            return Ok(None);
        };
        let whose = self.whose(host, tenants).await?;
        let candidate = match &whose {
            Whose::Below(None) | Whose::Nobody => return Ok(None),
            Whose::Below(Some(label)) => {
                Candidate::new(label.parse().map_err(|_| Error::TenantUnresolved)?)
            }
            Whose::Own(tenant) => Candidate::of(tenant),
        };
        // A proxy that was spoken to as one of our hosts, and names another: who
        // stands in front has decided by the one, and the other may be the client's.
        if let Some(proxied) = origin.proxied() {
            let proxied = self.whose(proxied, tenants).await?;
            if !matches!(proxied, Whose::Nobody) && proxied.slug() != whose.slug() {
                return Err(Error::TenantUnresolved);
            }
        }
        Ok(Some(candidate))
    }
}

#[async_trait]
impl Resolver for SubdomainResolver {
    async fn resolve(&self, request: &Parts) -> Result<Option<Candidate>> {
        self.candidate(request, None).await
    }
}

/// One that looks tenants' own domains up.
pub(super) struct WithDomains {
    pub(super) resolver: SubdomainResolver,
    pub(super) tenants: TenantCache,
}

#[async_trait]
impl Resolver for WithDomains {
    async fn resolve(&self, request: &Parts) -> Result<Option<Candidate>> {
        self.resolver.candidate(request, Some(&self.tenants)).await
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
