use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::{Secrets, TenantSecrets, not_configured};
use crate::error::{Error, Result};
use crate::http::provided;
use crate::tenant::Tenant;

/// What an application hands its routes: the secrets, if it has keys.
#[derive(Debug, Clone)]
pub(crate) struct Configured(pub(crate) Option<Secrets>);

/// Of the tenant that was admitted, as [`Tenant`].
impl<S: Send + Sync> FromRequestParts<S> for TenantSecrets {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let tenant = <Tenant as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        let Configured(secrets) = provided(parts, "TenantSecrets")?;
        let secrets = secrets.ok_or_else(not_configured)?;
        Ok(secrets.of(&tenant))
    }
}
