use async_trait::async_trait;
use axum::http::HeaderName;
use axum::http::request::Parts;

use super::{Candidate, Resolver};
use crate::error::{Error, Result};
use crate::http::once;
use crate::tenant::Slug;

/// Reads the tenant's slug from a header, `X-Tenant-ID` unless said otherwise.
///
/// The header must be there exactly once: of two values, a proxy in front may
/// have checked the one and we would read the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderResolver {
    header: HeaderName,
}

impl HeaderResolver {
    /// Reads this header.
    ///
    /// # Panics
    ///
    /// If `name` is not the name of a header. In `#[tenancy::app]` that is a
    /// compile error instead.
    #[must_use]
    pub fn new(name: &str) -> Self {
        match HeaderName::from_bytes(name.as_bytes()) {
            Ok(header) => Self { header },
            Err(_) => panic!("`{}` is not the name of a header", name.escape_debug()),
        }
    }

    /// The header that is read.
    #[must_use]
    pub fn header(&self) -> &HeaderName {
        &self.header
    }
}

impl From<HeaderName> for HeaderResolver {
    fn from(header: HeaderName) -> Self {
        Self { header }
    }
}

impl From<HeaderResolver> for HeaderName {
    fn from(resolver: HeaderResolver) -> Self {
        resolver.header
    }
}

impl Default for HeaderResolver {
    fn default() -> Self {
        Self::from(HeaderName::from_static("x-tenant-id"))
    }
}

#[async_trait]
impl Resolver for HeaderResolver {
    async fn resolve(&self, request: &Parts) -> Result<Option<Candidate>> {
        let value = once(&request.headers, &self.header);
        let Some(value) = value.map_err(|_| Error::TenantUnresolved)? else {
            return Ok(None);
        };
        let slug = Slug::from_bytes(value.as_bytes());
        let slug = slug.map_err(|_| Error::TenantUnresolved)?;
        Ok(Some(Candidate::new(slug)))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, Request};

    use super::*;

    async fn resolve(values: &[&[u8]]) -> Result<Option<Candidate>> {
        let (mut parts, ()) = Request::new(()).into_parts();
        for value in values {
            let value = HeaderValue::from_bytes(value).unwrap();
            parts.headers.append("x-tenant-id", value);
        }
        HeaderResolver::default().resolve(&parts).await
    }

    #[tokio::test]
    async fn one_well_formed_value_and_nothing_else() {
        let found = resolve(&[b"acme-corp"]).await.unwrap().unwrap();
        assert_eq!(found.slug().as_str(), "acme-corp");
        assert!(!found.is_proven());
        assert!(resolve(&[]).await.unwrap().is_none());
        let long = [b'a'; 64];
        for values in [
            &[&b"acme-corp"[..], b"globex"][..],
            &[b"acme-corp", b"acme-corp"],
            &[b""],
            &[b"Acme-Corp"],
            &[b"acme\xffcorp"],
            &[b"acme-corp, globex"],
            &[&long],
        ] {
            let refused = resolve(values).await;
            assert!(
                matches!(refused, Err(Error::TenantUnresolved)),
                "{values:?}"
            );
        }
    }

    #[test]
    #[should_panic(expected = "`X Tenant` is not the name of a header")]
    fn a_name_that_is_none_is_refused() {
        let _ = HeaderResolver::new("X Tenant");
    }
}
