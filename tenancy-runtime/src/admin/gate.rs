//! What stands in front of operators' routes.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::desk::{Admin, Desk};
use super::sites;
use crate::error::{Error, Result};

/// Lets a request through if the guard says whose it is, before its body is read.
pub(super) async fn guarded(
    State(desk): State<Arc<Desk>>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut response = match admitted(desk, &parts).await {
        Ok(admin) => {
            parts.extensions.insert(admin);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(refusal) => refusal.into_response(),
    };
    // Nobody in between keeps what is said of tenants.
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}

async fn admitted(desk: Arc<Desk>, request: &Parts) -> Result<Admin> {
    // To a tenant's pages they would be of the same origin.
    if desk.hosts.have(request)? {
        return Err(Error::NotFound);
    }
    if sites::is_foreign(request) {
        return Err(Error::CrossSite(
            "operators' routes take no requests that a page of another site sends".to_owned(),
        ));
    }
    let operator = desk.guard.operator(request).await?;
    Ok(Admin { desk, operator })
}

/// Has a body read as JSON whatever it is called. `curl -d '{…}'` calls it a form
/// unless told otherwise, and that is how people try things out. It is no way around
/// what browsers ask before they send JSON to another site: see [`sites`].
pub(super) async fn as_json(mut request: Request) -> Request {
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(header::CONTENT_TYPE, json);
    request
}

impl<S: Send + Sync> FromRequestParts<S> for Admin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let admin = parts.extensions.get().cloned();
        admin.ok_or_else(|| Error::internal("an operator's route without its guard"))
    }
}
