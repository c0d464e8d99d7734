//! Operators' routes: tenants registered, listed, changed and seen through their
//! lives over HTTP.
//!
//! They are there only where a guard is chosen by name ([`OperatorGuard`]), and they
//! belong to no tenant: nothing that makes a request a tenant's opens them, and below
//! a tenant's path or on its host there are none, where a page of the tenant's would be
//! of one origin with them. The guard is asked before a request's body is
//! read; what a browser sends for a page of another site is refused in any case
//! (`sites`).
//!
//! Everything goes through [`Provisioner`], as in the commands. Each change, and each
//! look into a tenant's trail, leaves two rows in `tenancy.system_access` with the
//! operator as actor (`trace`), is finished when the caller is gone (`works`), and needs
//! the owner's login: without it the answer says so.

#[cfg(feature = "openapi")]
mod described;
mod desk;
mod gate;
mod guard;
mod insight;
mod life;
pub mod messages;
mod sites;
mod tenants;
mod trace;
mod works;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_request};
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::audit::{AuditSink, DatabaseTrail};
use crate::db::TenantPool;
use crate::http::Verb;
#[cfg(feature = "openapi")]
use crate::openapi::Operation;
use crate::provision::Provisioner;
use crate::resolve::TenantHosts;

#[cfg(feature = "openapi")]
pub(crate) use described::descriptions;
use desk::Desk;
pub use guard::{OpenGuard, Operator, OperatorGuard, TokenGuard};
use trace::Trace;
pub(crate) use works::Works;

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
    #[cfg(feature = "openapi")]
    describe: fn(&mut Operation),
}

/// A route from its handler, whose types say what it takes and answers. Beside them
/// stand the name for programs, the status of a success, and what it does.
macro_rules! route {
    (
        $verb:ident $path:literal => $handler:path,
        $name:literal, $status:literal, $docs:literal $(, layer = $layer:expr)?
    ) => {
        Route {
            method: Verb::$verb,
            path: $path,
            handler: on(filter(Verb::$verb), $handler)$(.layer($layer))?,
            #[cfg(feature = "openapi")]
            describe: |operation| {
                operation.name($name).status($status).docs($docs);
                described::handler(operation, $handler);
            },
        }
    };
}

/// Every route. `trail` is whether tenants' trails can be read.
fn routes(trail: bool) -> Vec<Route> {
    let mut all = vec![
        route!(
            Post "/admin/tenants" => tenants::create, "admin_create", 201,
            "Registers a tenant and makes its tables.\n\nThe body is read as JSON whatever \
             its `Content-Type`.",
            layer = map_request(gate::as_json)
        ),
        route!(
            Get "/admin/tenants" => tenants::list, "admin_list", 200,
            "Lists and searches tenants, page by page."
        ),
        route!(
            Post "/admin/tenants/bulk-suspend" => life::bulk_suspend, "admin_bulk_suspend", 200,
            "Keeps many tenants out.\n\nAt most 500, each with an outcome of its own."
        ),
        route!(
            Post "/admin/tenants/bulk-activate" => life::bulk_activate, "admin_bulk_activate", 200,
            "Lets many suspended tenants in again.\n\nAt most 500, each with an outcome of its \
             own."
        ),
        route!(
            Get "/admin/tenants/{slug}" => tenants::show, "admin_show", 200,
            "Shows a tenant."
        ),
        route!(
            Patch "/admin/tenants/{slug}" => tenants::update, "admin_update", 200,
            "Changes a tenant's name, plan, metadata, or what it is granted and refused."
        ),
        route!(
            Delete "/admin/tenants/{slug}" => life::delete, "admin_delete", 200,
            "Keeps a tenant out until it is restored or destroyed.\n\nIts data and its slug stay."
        ),
        route!(
            Post "/admin/tenants/{slug}/suspend" => life::suspend, "admin_suspend", 200,
            "Keeps a tenant out; its data stays."
        ),
        route!(
            Post "/admin/tenants/{slug}/activate" => life::activate, "admin_activate", 200,
            "Lets a suspended tenant in again."
        ),
        route!(
            Post "/admin/tenants/{slug}/restore" => life::restore, "admin_restore", 200,
            "Makes a deleted tenant what it was before."
        ),
        route!(
            Post "/admin/tenants/{slug}/destroy" => life::destroy, "admin_destroy", 200,
            "Removes all data of a deleted tenant for good, and frees its slug."
        ),
        route!(
            Get "/admin/tenants/{slug}/usage" => insight::usage, "admin_usage", 200,
            "Says how much a tenant uses of its quotas, and what its tables take."
        ),
    ];
    if trail {
        all.push(route!(
            Get "/admin/tenants/{slug}/audit" => insight::audit, "admin_audit", 200,
            "Lists what was done in a tenant, the newest first.\n\nThat leaves a trace as a \
             change does."
        ));
    }
    all
}

fn filter(verb: Verb) -> MethodFilter {
    match verb {
        Verb::Get => MethodFilter::GET,
        Verb::Post => MethodFilter::POST,
        Verb::Put => MethodFilter::PUT,
        Verb::Patch => MethodFilter::PATCH,
        Verb::Delete => MethodFilter::DELETE,
        Verb::Head => MethodFilter::HEAD,
        Verb::Options => MethodFilter::OPTIONS,
    }
}

/// Whether tenants' trails can be read: where `sink` keeps them in their own places.
fn keeps_trails(sink: Option<&dyn AuditSink>) -> bool {
    let table = sink.and_then(AuditSink::table);
    table.is_some_and(|table| Some(table.table) == DatabaseTrail.table().map(|ours| ours.table))
}

/// The routes behind `guard`, for tenants whose data is in `tenants`, and whose trail
/// `sink` keeps. On `hosts` there are none, and `works` knows what goes on.
pub(crate) fn router(
    guard: Arc<dyn OperatorGuard>,
    provisioner: &Provisioner,
    tenants: Option<TenantPool>,
    sink: Option<&dyn AuditSink>,
    hosts: TenantHosts,
    works: Works,
) -> Router {
    let desk = Arc::new(Desk {
        guard,
        provisioner: provisioner.clone(),
        tenants,
        trace: Trace(provisioner.owner()),
        hosts,
        works,
    });
    let all = routes(keeps_trails(sink)).into_iter();
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
