use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::{Events, TenantEvents};
use crate::admit::Revocation;
use crate::error::{Error, Result};
use crate::http::{provided, refuse_for_tenants};
use crate::tenant::Tenant;

/// By which the client of server-sent events says what it heard last, when it comes
/// back.
const LAST: &str = "last-event-id";

/// Refused on every route that admits a tenant.
impl<S: Send + Sync> FromRequestParts<S> for Events {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        refuse_for_tenants(parts, "Events")?;
        provided(parts, "Events")
    }
}

/// Of the tenant that was admitted, as [`Tenant`].
impl<S: Send + Sync> FromRequestParts<S> for TenantEvents {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let tenant = <Tenant as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        let revocation = Revocation::from_request_parts(parts, state).await?;
        let comes_back = parts.headers.contains_key(LAST);
        let events: Events = provided(parts, "TenantEvents")?;
        Ok(events.bound(&tenant, revocation, comes_back))
    }
}
