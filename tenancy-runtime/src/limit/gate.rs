use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::Turn;
use crate::error::{Error, Result};
use crate::plan::RouteLimit;

/// A handler that limits how often each tenant may call it;
/// `#[tenant_handler(rate_limit = "…")]` implements it for a type that carries
/// the handler's name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` limits no requests",
    label = "write `#[tenant_handler(rate_limit = \"…\")]` on the handler"
)]
pub trait RateLimitGate {
    /// The limit, with the name of what is limited.
    const LIMIT: RouteLimit;
}

/// An extractor that refuses a tenant which has reached the limit that `G`
/// names.
///
/// On routes that are listed ([`App::route`](crate::app::App::route)) admission
/// has counted the request already, together with the application's own limit.
/// On a router that is merged nobody in front knows the handler's limit, so it is
/// counted here, in a step of its own.
///
/// ```
/// use tenancy_runtime::limit::{RateLimitGate, RequireRateLimit};
/// use tenancy_runtime::plan::{Per, RateLimit, RouteLimit};
///
/// struct Export;
/// impl RateLimitGate for Export {
///     const LIMIT: RouteLimit = RouteLimit {
///         route: "GET /export",
///         limit: RateLimit::new(5, Per::Hour),
///     };
/// }
///
/// async fn export(_: RequireRateLimit<Export>) -> &'static str {
///     "id,title"
/// }
/// let _: axum::Router = axum::Router::new().route("/export", axum::routing::get(export));
/// ```
#[derive(Debug)]
pub struct RequireRateLimit<G>(PhantomData<fn() -> G>);

impl<S: Send + Sync, G: RateLimitGate> FromRequestParts<S> for RequireRateLimit<G> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        // Cloned, as nothing of the request may be borrowed while it waits.
        let turn = parts.extensions.get::<Turn>().cloned().ok_or_else(|| {
            Error::internal(
                "a handler with `rate_limit` is on a route without a tenant: list it in \
                 `routes(…)`, or add its router with `App::merge`",
            )
        })?;
        turn.pass(G::LIMIT).await?;
        Ok(Self(PhantomData))
    }
}
