use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::{Domains, not_configured};
use crate::error::{Error, Result};
use crate::http::{provided, refuse_for_tenants};

/// What an application hands its routes: the domains, if it serves any.
#[derive(Debug, Clone)]
pub(crate) struct Configured(pub(crate) Option<Domains>);

/// Refused on every route that admits a tenant.
impl<S: Send + Sync> FromRequestParts<S> for Domains {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        refuse_for_tenants(parts, "Domains")?;
        let Configured(domains) = provided(parts, "Domains")?;
        domains.ok_or_else(not_configured)
    }
}
