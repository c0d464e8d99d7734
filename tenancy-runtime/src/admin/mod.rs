//! Operators' routes: tenants registered, listed, changed and seen through their
//! lives over HTTP.
//!
//! They are there only where a guard is chosen by name ([`OperatorGuard`]), and they
//! belong to no tenant: nothing that makes a request a tenant's opens them, and below
//! a tenant's path there are none. The guard is asked before a request's body is
//! read; what a browser sends for a page of another site is refused in any case
//! (`sites`).
//!
//! Everything goes through [`Provisioner`], as in the commands. Each change, and each
//! look into a tenant's trail, leaves two rows in `tenancy.system_access` with the
//! operator as actor (`trace`), is finished when the caller is gone, and needs the
//! owner's login: without it the answer says so.

mod desk;
mod gate;
mod guard;
mod insight;
mod life;
pub mod messages;
mod sites;
mod tenants;
mod trace;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_request};
use axum::routing::{MethodRouter, get, patch, post};

use crate::audit::{AuditSink, DatabaseTrail};
use crate::db::TenantPool;
use crate::http::Verb;
use crate::provision::Provisioner;

use desk::Desk;
pub use guard::{OpenGuard, Operator, OperatorGuard, TokenGuard};
use trace::Trace;

/// What all of the routes begin with.
pub(crate) const PREFIX: &str = "/admin/tenants";

/// The names of routes that stand where a tenant's would.
const BULK_SUSPEND: &str = "bulk-suspend";
const BULK_ACTIVATE: &str = "bulk-activate";

/// The longest body, in bytes: 500 slugs are 33 KiB.
const LONGEST_BODY: usize = 256 * 1024;

/// A route of operators'.
struct Route {
    method: Verb,
    path: &'static str,
    handler: MethodRouter,
}

/// Every route. `trail` is whether tenants' trails can be read.
fn routes(trail: bool) -> Vec<Route> {
    let route = |method, path, handler| Route {
        method,
        path,
        handler,
    };
    let create = post(tenants::create).layer(map_request(gate::as_json));
    let mut all = vec![
        route(Verb::Post, "/admin/tenants", create),
        route(Verb::Get, "/admin/tenants", get(tenants::list)),
        route(
            Verb::Post,
            "/admin/tenants/bulk-suspend",
            post(life::bulk_suspend),
        ),
        route(
            Verb::Post,
            "/admin/tenants/bulk-activate",
            post(life::bulk_activate),
        ),
        route(Verb::Get, "/admin/tenants/{slug}", get(tenants::show)),
        route(Verb::Patch, "/admin/tenants/{slug}", patch(tenants::update)),
        route(
            Verb::Delete,
            "/admin/tenants/{slug}",
            axum::routing::delete(life::delete),
        ),
        route(
            Verb::Post,
            "/admin/tenants/{slug}/suspend",
            post(life::suspend),
        ),
        route(
            Verb::Post,
            "/admin/tenants/{slug}/activate",
            post(life::activate),
        ),
        route(
            Verb::Post,
            "/admin/tenants/{slug}/restore",
            post(life::restore),
        ),
        route(
            Verb::Post,
            "/admin/tenants/{slug}/destroy",
            post(life::destroy),
        ),
        route(
            Verb::Get,
            "/admin/tenants/{slug}/usage",
            get(insight::usage),
        ),
    ];
    if trail {
        let audit = get(insight::audit);
        all.push(route(Verb::Get, "/admin/tenants/{slug}/audit", audit));
    }
    all
}

/// The routes behind `guard`, for tenants whose data is in `tenants`, and whose trail
/// `sink` keeps.
pub(crate) fn router(
    guard: Arc<dyn OperatorGuard>,
    provisioner: &Provisioner,
    tenants: Option<TenantPool>,
    sink: Option<&dyn AuditSink>,
) -> Router {
    let desk = Arc::new(Desk {
        guard,
        provisioner: provisioner.clone(),
        tenants,
        trace: Trace(provisioner.owner()),
    });
    let table = sink.and_then(AuditSink::table);
    let trail = table
        .is_some_and(|table| Some(table.table) == DatabaseTrail.table().map(|ours| ours.table));
    let all = routes(trail).into_iter();
    all.fold(Router::new(), |router, route| {
        tracing::debug!(
            method = route.method.as_str(),
            path = route.path,
            "an operator's route"
        );
        router.route(route.path, route.handler)
    })
    .layer(DefaultBodyLimit::max(LONGEST_BODY))
    .layer(from_fn_with_state(desk, gate::guarded))
}
