//! The routes of an application behind everything that a request passes first.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::Response;
use axum::routing::future::RouteFuture;
use axum::{Extension, Router};
use tower::{Layer as _, Service};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::TraceLayer;

use super::declared::Declared;
use super::tenancy::Tenancy;
use crate::admit::AdmissionLayer;
use crate::audit::{self, AuditLayer};
use crate::config::Config;
#[cfg(feature = "domains")]
use crate::domains;
use crate::error::Result;
use crate::http::{self, OriginLayer, TenantUse};
use crate::problem::{Problem, said};
use crate::resolve::{Named, PathResolver, StripPrefixLayer};
#[cfg(feature = "encryption")]
use crate::secrets;
use crate::system::Configured;

/// axum panics where two routers have the same route, or both a fallback, which only
/// it can see.
pub(super) fn wired<T>(wire: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(wire)).map_err(|panic| {
        Problem::new(
            "the application's routes",
            said(&*panic),
            "give each method and path to one handler, among `routes(…)` and all routers that \
             are merged, and a fallback to one router at most",
        )
        .into()
    })
}

/// What a request passes before it is routed; `router` makes the routes, of which only
/// tenants' are below a tenant's path.
pub(super) fn around(config: &Config, router: impl Fn(Which) -> Result<Router>) -> Result<Router> {
    let all = router(Which::All)?;
    let all = match PathResolver::among(&config.resolution) {
        Some(path) => {
            let tenants = router(Which::Tenants)?;
            let routed = StripPrefixLayer(path.clone()).layer(Routed { all, tenants });
            Router::new().fallback_service(routed)
        }
        None => all,
    };
    Ok(all.layer(OriginLayer::new(config.trusted_proxies.clone())))
}

/// Which of the application's routes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    All,
    /// Those that may have a tenant.
    Tenants,
}

impl Which {
    fn has(self, tenant: TenantUse) -> bool {
        self == Self::All || tenant != TenantUse::None
    }
}

/// Routes what is below a tenant's path among tenants' routes, where all others are
/// unknown, whatever their method.
#[derive(Clone)]
struct Routed {
    all: Router,
    tenants: Router,
}

impl Service<Request> for Routed {
    type Response = Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // As routers always are.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match request.extensions().get::<Named>() {
            Some(_) => self.tenants.call(request),
            None => self.all.call(request),
        }
    }
}

pub(super) fn router(
    tenancy: &Tenancy,
    declared: &Declared,
    audit: audit::Configured,
    which: Which,
) -> Router {
    let admit = |tenant| AdmissionLayer::new(tenancy.admission.clone(), tenant);
    let mut all = Router::new();
    let routes = declared.routes.iter();
    for route in routes.filter(|route| which.has(route.tenant)) {
        let mut handler = (route.handler)();
        if let Some(audited) = route.audit {
            // Of the route's own method, and behind its limit.
            handler = handler.route_layer(AuditLayer::new(audited));
        }
        let admit = admit(route.tenant).route_limit(route.limit);
        all = all.route(route.spec.path, handler.layer(admit));
    }
    let routers = declared.routers.iter();
    let routers = routers.filter(|(tenant, _)| which.has(*tenant));
    let mut fallback = false;
    for (tenant, router) in routers {
        fallback |= http::has_fallback(router);
        all = all.merge(router.clone().layer(admit(*tenant)));
    }
    if !fallback {
        all = all.fallback(http::not_found);
    }
    let all = all.method_not_allowed_fallback(http::method_not_allowed);
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
