use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::Provisioner;
use crate::error::{Error, Result};
use crate::http::{provided, refuse_for_tenants};

/// Refused on every route that admits a tenant.
impl<S: Send + Sync> FromRequestParts<S> for Provisioner {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        refuse_for_tenants(parts, "Provisioner")?;
        provided(parts, "Provisioner")
    }
}
