use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::error::{Error, Result};
use crate::plan::Feature;
use crate::tenant::Tenant;

/// A handler that asks for a feature; `#[tenant_handler(feature = "…")]`
/// implements it for a type that carries the handler's name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` asks for no feature",
    label = "write `#[tenant_handler(feature = \"…\")]` on the handler"
)]
pub trait FeatureGate {
    /// The feature the tenant must have.
    const FEATURE: Feature;
}

/// An extractor that refuses a tenant without the feature that `G` names.
///
/// ```
/// use tenancy_runtime::http::{FeatureGate, RequireFeature};
/// use tenancy_runtime::plan::Feature;
///
/// tenancy_runtime::features! { exports }
///
/// struct Exports;
/// impl FeatureGate for Exports {
///     const FEATURE: Feature = features::exports;
/// }
///
/// async fn export(_: RequireFeature<Exports>) -> &'static str {
///     "id,title"
/// }
/// # fn main() {
/// let _: axum::Router = axum::Router::new().route("/export", axum::routing::get(export));
/// # }
/// ```
#[derive(Debug)]
pub struct RequireFeature<G>(PhantomData<fn() -> G>);

impl<S: Send + Sync, G: FeatureGate> FromRequestParts<S> for RequireFeature<G> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let tenant = <Tenant as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        if tenant.has(G::FEATURE) {
            Ok(Self(PhantomData))
        } else {
            Err(Error::FeatureUnavailable(G::FEATURE))
        }
    }
}
