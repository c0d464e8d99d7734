//! Answers where no handler gave one.

use std::any::Any;

use axum::response::{IntoResponse, Response};

use crate::error::Error;
use crate::problem::said;

/// For paths that no route has.
pub(crate) async fn not_found() -> Error {
    Error::NotFound
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
