//! What handlers see: extractors, routes and problem responses.

mod body;
mod extract;
mod fallback;
mod gate;
#[cfg(any(feature = "domains", feature = "jwt"))]
mod get;
mod host;
mod once;
mod origin;
mod route;
mod spool;
mod tenant_config;

pub use body::{Json, Path, Query};
pub(crate) use extract::{RequestTenant, carried, provided, refuse_for_tenants};
pub(crate) use fallback::{has_fallback, method_not_allowed, not_found, panicked};
pub use gate::{FeatureGate, RequireFeature};
#[cfg(any(feature = "domains", feature = "jwt"))]
pub(crate) use get::get;
pub use host::{HostName, InvalidHostName};
pub(crate) use once::once;
pub(crate) use origin::OriginLayer;
pub use origin::{InvalidProxies, Origin, TrustedProxies};
pub(crate) use route::same_path;
pub use route::{
    Audited, RouteFunction, RouteSpec, RoutedHandler, TenantUse, Verb, is_taken, routing,
};
pub(crate) use spool::Spool;
pub use tenant_config::TenantConfig;
