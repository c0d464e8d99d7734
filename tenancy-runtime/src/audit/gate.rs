use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::layer::Begun;
use crate::error::{Error, Result};
use crate::http::Audited;

/// A handler whose requests are recorded; `#[tenant_handler(…, audit(…))]`
/// implements it for a type that carries the handler's name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is recorded in no trail",
    label = "write `#[tenant_handler(…, audit(action = \"…\", resource = \"…\"))]` on the handler"
)]
pub trait AuditGate {
    /// What is recorded.
    const AUDITED: Audited;
}

/// An extractor that lets nobody through whose request is not recorded as `G` says.
///
/// The recording itself is done around the handler, by what its route says or by an
/// [`AuditLayer`](super::AuditLayer). This stands in front of the handler, so that on
/// a router where nobody records it answers 500 and not as if nothing were missing.
///
/// ```
/// use axum::routing::MethodRouter;
/// use tenancy_runtime::audit::{AuditGate, RequireAudit};
/// use tenancy_runtime::http::{Audited, RoutedHandler, TenantUse, Verb, routing};
///
/// async fn publish(_: RequireAudit<Publish>) {}
///
/// struct Publish;
/// impl AuditGate for Publish {
///     const AUDITED: Audited = Audited { action: "publish", resource: "post" };
/// }
/// impl RoutedHandler for Publish {
///     const METHOD: Verb = Verb::Post;
///     const PATH: &'static str = "/posts";
///     const TENANT: TenantUse = TenantUse::Required;
///     const AUDIT: Option<Audited> = Some(Publish::AUDITED);
///     fn handler() -> MethodRouter {
///         routing::post(publish)
///     }
/// }
/// ```
#[derive(Debug)]
pub struct RequireAudit<G>(PhantomData<fn() -> G>);

impl<S: Send + Sync, G: AuditGate> FromRequestParts<S> for RequireAudit<G> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        match parts.extensions.get::<Begun>() {
            Some(Begun(audited)) if *audited == G::AUDITED => Ok(Self(PhantomData)),
            _ => Err(Error::internal(
                "a handler with `audit(…)` is on a route that records nothing: list it in \
                 `routes(…)`, or put an `AuditLayer` around it",
            )),
        }
    }
}
