use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::{SystemAccess, not_configured};
use crate::error::{Error, Result};
use crate::http::{provided, refuse_for_tenants};

/// What an application hands its routes: system access, if it is configured.
#[derive(Debug, Clone)]
pub(crate) struct Configured(pub(crate) Option<SystemAccess>);

/// Refused on every route that admits a tenant.
impl<S: Send + Sync> FromRequestParts<S> for SystemAccess {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        refuse_for_tenants(parts, "SystemAccess")?;
        let Configured(system) = provided(parts, "SystemAccess")?;
        system.ok_or_else(not_configured)
    }
}
