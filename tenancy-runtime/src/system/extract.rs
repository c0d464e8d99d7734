use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::{SystemAccess, not_configured};
use crate::error::{Error, Result};
use crate::http::RequestTenant;

/// What an application hands its routes: system access, if it is configured.
#[derive(Debug, Clone)]
pub(crate) struct Configured(pub(crate) Option<SystemAccess>);

/// Refused on every route that admits a tenant, also where the request names
/// none: what serves tenants has no business with all of them.
impl<S: Send + Sync> FromRequestParts<S> for SystemAccess {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        if parts.extensions.get::<RequestTenant>().is_some() {
            return Err(Error::internal(
                "a handler of tenants' requests asks for `SystemAccess`: give it a route of its \
                 own with `tenant = \"none\"`, or add its router with `App::merge_public`",
            ));
        }
        match parts.extensions.get::<Configured>() {
            Some(Configured(Some(system))) => Ok(system.clone()),
            Some(Configured(None)) => Err(not_configured()),
            None => Err(Error::internal(
                "a handler asks for `SystemAccess` outside of an `App`",
            )),
        }
    }
}
