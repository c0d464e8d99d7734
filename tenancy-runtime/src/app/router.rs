//! The routes of an application behind everything that a request passes first.

use std::panic::{AssertUnwindSafe, catch_unwind};

use axum::{Extension, Router};
use tower::Layer as _;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::TraceLayer;

use super::builder::Route;
use super::tenancy::Tenancy;
use crate::admit::AdmissionLayer;
use crate::audit::{self, AuditLayer};
use crate::config::Config;
#[cfg(feature = "domains")]
use crate::domains;
use crate::error::Result;
use crate::http::{self, OriginLayer, TenantUse};
use crate::problem::{Problem, said};
use crate::resolve::{Resolution, StripPrefixLayer};
#[cfg(feature = "encryption")]
use crate::secrets;
use crate::system::Configured;

/// axum panics where two routers have the same route, which only it can see.
pub(super) fn wired(wire: impl FnOnce() -> Router) -> Result<Router> {
    catch_unwind(AssertUnwindSafe(wire)).map_err(|panic| {
        Problem::new(
            "the application's routes",
            said(&*panic),
            "give each method and path to one handler, among `routes(…)` and all routers that \
             are merged",
        )
        .into()
    })
}

/// What a request passes before it is routed.
pub(super) fn around(router: Router, config: &Config) -> Router {
    let path = config.resolution.iter().find_map(|way| match way {
        Resolution::Path(resolver) => Some(resolver.clone()),
        _ => None,
    });
    let router = match path {
        Some(path) => Router::new().fallback_service(StripPrefixLayer(path).layer(router)),
        None => router,
    };
    router.layer(OriginLayer::new(config.trusted_proxies.clone()))
}

pub(super) fn router(
    tenancy: &Tenancy,
    routes: Vec<Route>,
    routers: Vec<(TenantUse, Router)>,
    audit: audit::Configured,
) -> Router {
    let admit = |tenant| AdmissionLayer::new(tenancy.admission.clone(), tenant);
    let mut all = Router::new();
    for route in routes {
        let mut handler = (route.handler)();
        if let Some(audited) = route.audit {
            // Of the route's own method, and behind its limit.
            handler = handler.route_layer(AuditLayer::new(audited));
        }
        let admit = admit(route.tenant).route_limit(route.limit);
        all = all.route(route.spec.path, handler.layer(admit));
    }
    for (tenant, router) in routers {
        all = all.merge(router.layer(admit(tenant)));
    }
    let all = all
        .fallback(http::not_found)
        .method_not_allowed_fallback(http::method_not_allowed);
    #[cfg(feature = "encryption")]
    let all = all.layer(Extension(secrets::Configured(tenancy.secrets.clone())));
    #[cfg(feature = "domains")]
    let all = all.layer(Extension(domains::Configured(tenancy.domains.clone())));
    all.layer(Extension(tenancy.provisioner.clone()))
        .layer(Extension(tenancy.events.clone()))
        .layer(Extension(Configured(tenancy.system.clone())))
        .layer(Extension(audit))
        .layer(CatchPanicLayer::custom(http::panicked))
        .layer(TraceLayer::new_for_http())
}
