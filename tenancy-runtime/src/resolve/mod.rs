//! From a request to a candidate: who the request *says* it is for.
//!
//! A candidate proves nothing. Whether the tenant exists, may come in, and where
//! its data lives is decided further along the way; nothing here can open a
//! connection.

mod header;

use async_trait::async_trait;
use axum::http::request::Parts;

use crate::error::Result;
use crate::tenant::Slug;

pub use header::HeaderResolver;

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
pub trait Resolver: Send + Sync + 'static {
    /// The candidate, or `None` when the request names no tenant.
    ///
    /// # Errors
    ///
    /// [`Error::TenantUnresolved`](crate::error::Error::TenantUnresolved) when it
    /// names one in a way that cannot be read: to the client that is the same
    /// as a tenant that does not exist.
    async fn resolve(&self, request: &Parts) -> Result<Option<Candidate>>;
}

/// The tenant that a request names, not yet known to exist nor admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate(Slug);

impl Candidate {
    /// The candidate of this name.
    #[must_use]
    pub fn new(slug: Slug) -> Self {
        Self(slug)
    }

    /// The name to look up.
    #[must_use]
    pub fn slug(&self) -> &Slug {
        &self.0
    }
}
