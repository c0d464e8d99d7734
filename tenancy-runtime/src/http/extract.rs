//! The tenant of a request, as an argument of its handler.

use std::time::Duration;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;

use super::Spool;
use crate::db::{TenantConn, TenantDb};
use crate::error::{Error, Result};
use crate::tenant::Tenant;

/// What admission leaves in a request for the extractors.
#[derive(Debug, Clone)]
pub(crate) struct RequestTenant {
    pub(crate) tenant: Option<Tenant>,
    pub(crate) db: Option<TenantDb>,
    /// What is left of the time that the request waits for connections.
    pub(crate) patience: Option<Duration>,
}

/// Without admission nobody is let through: neither as some tenant nor as none.
fn admitted(parts: &Parts) -> Result<&RequestTenant> {
    parts.extensions.get().ok_or_else(|| {
        Error::internal(
            "a handler asks for the tenant on a route without admission: list the handler in \
             `routes(…)` without `tenant = \"none\"`, or add its router with `App::merge`",
        )
    })
}

/// What the resolver has handed on with the tenant of this request, if it was
/// the one to name it.
pub(crate) fn carried<T: Clone + Send + Sync + 'static>(parts: &Parts) -> Result<Option<T>> {
    admitted(parts)?;
    Ok(parts.extensions.get().cloned())
}

/// What an application hands all of its routes, for the extractor of this name.
pub(crate) fn provided<T: Clone + Send + Sync + 'static>(
    parts: &Parts,
    extractor: &str,
) -> Result<T> {
    parts.extensions.get().cloned().ok_or_else(|| {
        Error::internal(format!(
            "a handler asks for `{extractor}` outside of an `App`"
        ))
    })
}

/// Refuses what reaches every tenant on a route that admits one, also where the
/// request names none: what serves tenants has no business with all of them.
pub(crate) fn refuse_for_tenants(parts: &Parts, extractor: &str) -> Result<()> {
    match parts.extensions.get::<RequestTenant>() {
        None => Ok(()),
        Some(_) => Err(Error::internal(format!(
            "a handler of tenants' requests asks for `{extractor}`: give it a route of its own \
             with `tenant = \"none\"`, or add its router with `App::merge_public`",
        ))),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Tenant {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let request = admitted(parts)?;
        request.tenant.clone().ok_or(Error::TenantUnresolved)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Tenant {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>> {
        Ok(admitted(parts)?.tenant.clone())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for TenantDb {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let request = admitted(parts)?;
        match (&request.tenant, &request.db) {
            (_, Some(db)) => Ok(db.clone()),
            (None, None) => Err(Error::TenantUnresolved),
            (Some(_), None) => Err(Error::internal(
                "a handler asks for a connection in an application without a database: add \
                 `isolation = …` to `#[tenancy::app]`",
            )),
        }
    }
}

/// Borrows a connection once the request's body is here, as far as it is kept.
impl<S: Send + Sync> FromRequestParts<S> for TenantConn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let db = <TenantDb as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        if let Some(spool) = parts.extensions.get::<Spool>().cloned() {
            spool.fill().await;
        }
        let Some(patience) = admitted(parts)?.patience else {
            return db.conn().await;
        };
        tokio::time::timeout(patience, db.conn())
            .await
            .map_err(|_| Error::unavailable("no database connection became free in time"))?
    }
}
