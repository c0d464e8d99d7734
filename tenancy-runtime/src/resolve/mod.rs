//! From a request to a candidate: who the request *says* it is for.
//!
//! A candidate proves nothing. Whether the tenant exists, may come in, and where
//! its data lives is decided further along the way; nothing here can open a
//! connection.

mod chain;
mod header;
mod hosts;
mod jwt;
mod path;
mod principal;
mod resolution;
mod subdomain;

use async_trait::async_trait;
use axum::http::Extensions;
use axum::http::request::Parts;

use crate::error::{Error, Result};
use crate::tenant::{Slug, TenantId, TenantRecord};

pub(crate) use chain::Chain;
pub use header::HeaderResolver;
pub(crate) use hosts::TenantHosts;
pub(crate) use jwt::{Claim, Expected};
#[cfg(feature = "jwt")]
pub use jwt::{Claims, FetchKeys, InvalidKey, JwtKeys, Rotation};
pub use jwt::{JwtAlgorithm, JwtResolver};
pub(crate) use path::Named;
pub use path::{InvalidPrefix, PathPrefix, PathResolver, StripPrefix, StripPrefixLayer};
pub use principal::Principal;
pub use resolution::Resolution;
pub use subdomain::SubdomainResolver;

/// Finds the tenant that a request names.
///
/// ```
/// use async_trait::async_trait;
/// use axum::http::request::Parts;
/// use tenancy_runtime::error::{Error, Result};
/// use tenancy_runtime::resolve::{Candidate, Resolver};
///
/// /// `?tenant=acme-corp`
/// struct QueryResolver;
///
/// #[async_trait]
/// impl Resolver for QueryResolver {
///     async fn resolve(&self, request: &Parts) -> Result<Option<Candidate>> {
///         let query = request.uri.query().unwrap_or_default();
///         let Some(slug) = query.strip_prefix("tenant=") else { return Ok(None) };
///         let slug = slug.parse().map_err(|_| Error::TenantUnresolved)?;
///         Ok(Some(Candidate::new(slug)))
///     }
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not find the tenant of a request",
    label = "implement `tenancy::resolve::Resolver` for it"
)]
pub trait Resolver: Send + Sync + 'static {
    /// The candidate, or `None` when the request names no tenant.
    ///
    /// # Errors
    ///
    /// [`Error::TenantUnresolved`] when it names one in a way that cannot be read:
    /// to the client that is the same as a tenant that does not exist.
    async fn resolve(&self, request: &Parts) -> Result<Option<Candidate>>;

    /// Whether its candidates may be [`proven`](Candidate::proven) ones. Without
    /// it an application needs a [`Membership`](crate::admit::Membership).
    fn proves_membership(&self) -> bool {
        false
    }

    /// The answer where the tenant is required and the request names none.
    fn missing(&self) -> Error {
        Error::TenantUnresolved
    }
}

/// The tenant that a request names, not yet known to exist nor admitted.
#[derive(Debug, Clone)]
pub struct Candidate {
    slug: Slug,
    /// Whose slug it was when the resolver looked it up; another's it may be by now.
    id: Option<TenantId>,
    proven: bool,
    carried: Extensions,
}

impl Candidate {
    /// The candidate of this name, whom anybody may have named.
    #[must_use]
    pub fn new(slug: Slug) -> Self {
        Self {
            slug,
            id: None,
            proven: false,
            carried: Extensions::new(),
        }
    }

    /// The candidate of this name, in a request that has proved that it may act
    /// for the tenant: by a signed token or a key that only its members have.
    #[must_use]
    pub fn proven(slug: Slug) -> Self {
        Self {
            proven: true,
            ..Self::new(slug)
        }
    }

    /// This tenant and nobody who gets its name.
    pub(crate) fn of(tenant: &TenantRecord) -> Self {
        Self {
            id: Some(tenant.id),
            ..Self::new(tenant.slug.clone())
        }
    }

    /// Whether the request names this tenant, which has the candidate's slug.
    pub(crate) fn means(&self, tenant: &TenantRecord) -> bool {
        self.id.is_none_or(|id| id == tenant.id)
    }

    /// Adds what the resolver has learned beside the tenant, such as the
    /// [`Principal`]. Admission puts it into the request's extensions once the
    /// tenant is admitted, and not before: handlers see it, and nobody who is
    /// refused leaves anything.
    #[must_use]
    pub fn with<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.carried.insert(value);
        self
    }

    /// The name to look up.
    #[must_use]
    pub fn slug(&self) -> &Slug {
        &self.slug
    }

    /// Whether the request has proved that it may act for the tenant.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.proven
    }

    /// What goes into the request of an admitted tenant.
    pub(crate) fn into_carried(self) -> Extensions {
        self.carried
    }

    /// What two resolvers say together, unless they disagree.
    fn and(mut self, other: Self) -> Option<Self> {
        let agree = self.slug == other.slug
            && (self.id.is_none() || other.id.is_none() || self.id == other.id);
        self.id = self.id.or(other.id);
        self.proven |= other.proven;
        self.carried.extend(other.carried);
        agree.then_some(self)
    }
}
