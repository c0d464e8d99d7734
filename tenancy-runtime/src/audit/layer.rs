use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};

use axum::extract::{FromRequestParts as _, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::json;
use tower::{Layer, Service};
use uuid::Uuid;

use super::{Audit, AuditEvent};
use crate::error::Result;
use crate::http::{Audited, panicked};

/// The longest path that is kept, in characters.
const LONGEST_PATH: usize = 1_000;

/// That the request at hand is in the trail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun(pub(super) Audited);

/// Records each request to a route: `begun` before it is handled, how it ended
/// afterwards. Routes that are listed have it by what their handler says
/// ([`RoutedHandler::AUDIT`](crate::http::RoutedHandler::AUDIT)); on a router that is
/// merged it is added by hand:
///
/// ```
/// use axum::Router;
/// use axum::routing::post;
/// use tenancy_runtime::app::App;
/// use tenancy_runtime::audit::{AuditLayer, DatabaseTrail};
/// use tenancy_runtime::http::Audited;
///
/// async fn publish() {}
///
/// let audited = Audited { action: "publish", resource: "post" };
/// let posts = Router::new().route("/posts", post(publish).layer(AuditLayer::new(audited)));
/// let app = App::new("blog", "1.0.0").audit(DatabaseTrail).merge(posts);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct AuditLayer(Audited);

impl AuditLayer {
    /// Records requests as this being done to that.
    #[must_use]
    pub fn new(audited: Audited) -> Self {
        Self(audited)
    }
}

impl<S> Layer<S> for AuditLayer {
    type Service = Recorded<S>;

    fn layer(&self, inner: S) -> Recorded<S> {
        Recorded {
            inner,
            audited: self.0,
        }
    }
}

/// Has a request recorded before and after it is handled.
#[derive(Debug, Clone)]
pub struct Recorded<S> {
    inner: S,
    audited: Audited,
}

impl<S> Service<Request> for Recorded<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The service that was polled ready is the one to call.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let audited = self.audited;
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let (audit, begun) = match begin(audited, &mut parts).await {
                Ok(begun) => begun,
                // What cannot be recorded is not done.
                Err(error) => return Ok(error.into_response()),
            };
            let handled = inner.call(Request::from_parts(parts, body));
            let handled = AssertUnwindSafe(handled).catch_unwind().await;
            let response = match handled {
                Ok(Ok(response)) => response,
                Err(panic) => panicked(panic),
            };
            end(audited, &audit, begun, response.status()).await;
            Ok(response)
        })
    }
}

/// Writes that a request has come, and returns the id of that entry.
async fn begin(audited: Audited, parts: &mut Parts) -> Result<(Audit, Uuid)> {
    let audit = Audit::from_request_parts(parts, &()).await?;
    let path: String = parts.uri.path().chars().take(LONGEST_PATH).collect();
    let detail = json!({ "method": parts.method.as_str(), "path": path });
    let begun = audit.record_entry(event(audited, "begun").detail(detail));
    let begun = begun.await?;
    parts.extensions.insert(Begun(audited));
    Ok((audit, begun))
}

/// Writes how it ended. If that fails the answer stands: it tells of what has
/// happened, and another one would have it done twice.
async fn end(audited: Audited, audit: &Audit, begun: Uuid, status: StatusCode) {
    let outcome = outcome(status);
    let detail = json!({ "begun": begun, "status": status.as_u16() });
    let ended = audit.record_entry(event(audited, outcome).detail(detail));
    if let Err(error) = ended.await {
        let Audited { action, resource } = audited;
        tracing::error!(
            ?audit, %begun, action, resource, outcome, %error,
            "how an audited request ended is in no trail: there it has only begun"
        );
    }
}

fn event(audited: Audited, outcome: &str) -> AuditEvent {
    AuditEvent::new(audited.action, audited.resource).outcome(outcome)
}

/// In a word what an answer means to who reads the trail.
fn outcome(status: StatusCode) -> &'static str {
    if status.is_server_error() {
        "failed"
    } else if status.is_client_error() {
        "refused"
    } else {
        "done"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_told_by_the_class_of_the_status() {
        for (status, told) in [
            (101, "done"),
            (201, "done"),
            (304, "done"),
            (403, "refused"),
            (422, "refused"),
            (500, "failed"),
            (503, "failed"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(outcome(status), told, "{status}");
        }
    }
}
