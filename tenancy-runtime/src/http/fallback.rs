//! Answers where no handler gave one.

use std::any::Any;

use axum::Router;
use axum::response::{IntoResponse, Response};

use crate::error::Error;
use crate::problem::said;

/// For paths that no route has.
pub(crate) async fn not_found() -> Error {
    Error::NotFound
}

/// Whether a router has a fallback of its own. Nothing but its description tells;
/// where that would say neither, axum's own answer is better than one that hides a
/// fallback.
pub(crate) fn has_fallback(router: &Router) -> bool {
    !format!("{router:?}").contains("default_fallback: true")
}

/// For methods that a route does not take; axum adds the `Allow` header.
pub(crate) async fn method_not_allowed() -> Error {
    Error::MethodNotAllowed
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature is that of `ResponseForPanic`"
)]
/// For handlers that panicked. What they said stays in the log.
pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Response {
    Error::internal(format!("a handler panicked: {}", said(&*payload))).into_response()
}

#[cfg(test)]
mod tests {
    use axum::routing::get;

    use super::*;

    #[test]
    fn a_fallback_is_seen_wherever_it_comes_from() {
        let plain = || Router::new().route("/a", get(async || "a"));
        let other = || Router::new().fallback(async || "other");
        assert!(!has_fallback(&Router::new()));
        assert!(!has_fallback(&plain()));
        assert!(!has_fallback(&plain().merge(Router::new())));
        assert!(!has_fallback(&other().reset_fallback()));
        assert!(has_fallback(&plain().fallback(async || "other")));
        assert!(has_fallback(&plain().fallback_service(plain())));
        assert!(has_fallback(&plain().merge(other())));
    }
}
