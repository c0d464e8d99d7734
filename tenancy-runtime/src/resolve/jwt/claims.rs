use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::http;

/// What admission leaves of a token that holds.
#[derive(Debug, Clone)]
pub(super) struct Verified(pub(super) Arc<Value>);

/// The claims of the token that has named the tenant, as an argument of a
/// handler: signature, times, audience and issuer have been checked. A token
/// whose claims are no `T` is refused as one that is not valid; so is a request
/// that has named its tenant without a token, except for `Option<Claims<T>>`.
///
/// ```
/// use serde::Deserialize;
/// use tenancy_runtime::resolve::Claims;
///
/// #[derive(Deserialize)]
/// struct Ours {
///     email: String,
///     #[serde(default)]
///     roles: Vec<String>,
/// }
///
/// async fn me(Claims(ours): Claims<Ours>) -> String {
///     format!("{} {:?}", ours.email, ours.roles)
/// }
/// # let _: axum::Router = axum::Router::new().route("/me", axum::routing::get(me));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims<T>(pub T);

fn claims<T: DeserializeOwned>(parts: &Parts) -> Result<Option<Claims<T>>> {
    let Some(Verified(claims)) = http::carried(parts)? else {
        return Ok(None);
    };
    match T::deserialize(&*claims) {
        Ok(claims) => Ok(Some(Claims(claims))),
        Err(why) => {
            tracing::debug!(%why, "a token's claims are not those that the handler takes");
            Err(Error::InvalidToken)
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Claims<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        claims(parts)?.ok_or(Error::InvalidToken)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> OptionalFromRequestParts<S> for Claims<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>> {
        claims(parts)
    }
}
