use std::fmt;
use std::sync::Arc;

use super::subdomain::WithDomains;
use super::{HeaderResolver, JwtResolver, PathResolver, Resolver, SubdomainResolver};
use crate::registry::TenantCache;

/// One way in which requests name their tenant, as an application declares it.
#[derive(Clone)]
#[non_exhaustive]
pub enum Resolution {
    /// By a header.
    Header(HeaderResolver),
    /// By the host's first label.
    Subdomain(SubdomainResolver),
    /// By the beginning of the path.
    Path(PathResolver),
    /// By a claim of a signed token.
    Jwt(JwtResolver),
    /// In a way of the application's own.
    Custom(Arc<dyn Resolver>),
}

impl Resolution {
    /// A way of the application's own.
    pub fn custom(resolver: impl Resolver) -> Self {
        Self::Custom(Arc::new(resolver))
    }

    /// The word for it in attributes and in `TENANCY_RESOLUTION_STRATEGY`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Header(_) => "header",
            Self::Subdomain(_) => "subdomain",
            Self::Path(_) => "path",
            Self::Jwt(_) => "jwt",
            Self::Custom(_) => "custom",
        }
    }

    pub(crate) fn resolver(&self) -> Arc<dyn Resolver> {
        match self {
            Self::Header(resolver) => Arc::new(resolver.clone()),
            Self::Subdomain(resolver) => Arc::new(resolver.clone()),
            Self::Path(resolver) => Arc::new(resolver.clone()),
            Self::Jwt(resolver) => resolver.ready(),
            Self::Custom(resolver) => Arc::clone(resolver),
        }
    }

    /// The resolver with what it looks up.
    pub(crate) fn connected(&self, tenants: &TenantCache) -> Arc<dyn Resolver> {
        match self {
            Self::Subdomain(resolver) if resolver.has_custom_domains() => Arc::new(WithDomains {
                resolver: resolver.clone(),
                tenants: tenants.clone(),
            }),
            other => other.resolver(),
        }
    }

    /// The suffix below which tenants are, where they bring domains as well.
    pub(crate) fn custom_domains(&self) -> Option<&SubdomainResolver> {
        match self {
            Self::Subdomain(resolver) if resolver.has_custom_domains() => Some(resolver),
            _ => None,
        }
    }
}

impl fmt::Debug for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<HeaderResolver> for Resolution {
    fn from(resolver: HeaderResolver) -> Self {
        Self::Header(resolver)
    }
}

impl From<SubdomainResolver> for Resolution {
    fn from(resolver: SubdomainResolver) -> Self {
        Self::Subdomain(resolver)
    }
}

impl From<PathResolver> for Resolution {
    fn from(resolver: PathResolver) -> Self {
        Self::Path(resolver)
    }
}

impl From<JwtResolver> for Resolution {
    fn from(resolver: JwtResolver) -> Self {
        Self::Jwt(resolver)
    }
}
