//! A handler as the attribute describes it, once every rule holds.

use proc_macro2::Ident;
use syn::{LitStr, Path};

use crate::common::RateLimit;

/// What `expand` writes out.
pub(super) struct Handler {
    pub(super) route: Option<Route>,
    pub(super) feature: Option<Feature>,
    pub(super) rate_limit: Option<RateLimit>,
    pub(super) audit: Option<Audit>,
    pub(super) tag: Option<LitStr>,
    /// The status of a success.
    pub(super) status: Option<u16>,
}

/// Where the handler is mounted when it is listed in `routes(…)`.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: LitStr,
    pub(super) tenant: TenantUse,
}

/// An HTTP method, by its function in `axum::routing` and its variant of `Verb`.
#[derive(Clone, Copy)]
pub(super) struct Method {
    pub(super) routing: &'static str,
    pub(super) verb: &'static str,
}

/// What a route does about the tenant of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TenantUse {
    Required,
    Optional,
    None,
}

/// The feature a tenant must have.
#[derive(Clone)]
pub(super) enum Feature {
    /// A constant of `crate::features`, spanned on the user's literal so that
    /// the compiler suggests the nearest name there.
    Declared(Ident),
    /// A constant anywhere.
    At(Path),
}

/// What the trail says of the handler's requests.
#[derive(Clone)]
pub(super) struct Audit {
    pub(super) action: LitStr,
    pub(super) resource: LitStr,
}
