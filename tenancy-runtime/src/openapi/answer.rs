use std::borrow::Cow;
use std::convert::Infallible;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, NoContent, Redirect, Sse};

use super::Operation;
use super::probe::{Knows, No, Yes};
use crate::error::Error;

/// What a handler's answer says of itself.
///
/// It is there for what this crate and axum answer with. For a type of your own:
///
/// ```
/// use axum::response::{IntoResponse, Response};
/// use tenancy_runtime::openapi::{Answer, Operation};
///
/// struct Calendar(String);
///
/// impl IntoResponse for Calendar {
///     fn into_response(self) -> Response {
///         ([("content-type", "text/calendar")], self.0).into_response()
///     }
/// }
///
/// impl Answer for Calendar {
///     fn describe(operation: &mut Operation) {
///         operation.answers("text/calendar");
///     }
/// }
/// ```
///
/// An answer without it compiles, and is described as one that may be anything. `How`
/// says what is known of the types inside, and needs no mention for a type that holds
/// none.
pub trait Answer<How = Knows<Yes, Yes>> {
    /// Writes it down.
    fn describe(operation: &mut Operation);
}

/// What a handler's error says of itself, as [`Answer`] does.
pub trait Refusal {
    /// Writes it down.
    fn describe(operation: &mut Operation);
}

impl Refusal for Error {
    fn describe(operation: &mut Operation) {
        operation
            .problem(&Error::NotFound)
            .problem(&Error::Conflict(String::new()))
            .problem(&Error::InvalidInput(String::new()));
    }
}

impl Refusal for Infallible {
    fn describe(_: &mut Operation) {}
}

impl<S, T, E> Answer<Knows<S, Yes>> for Result<T, E>
where
    T: Answer<Knows<S, Yes>>,
    E: Refusal,
{
    fn describe(operation: &mut Operation) {
        T::describe(operation);
        E::describe(operation);
    }
}

impl<S, T, E> Answer<Knows<S, No>> for Result<T, E>
where
    T: Answer<Knows<S, No>>,
{
    fn describe(operation: &mut Operation) {
        T::describe(operation);
        operation.leave_open();
    }
}

macro_rules! texts {
    ($($ty:ty: $media:literal),* $(,)?) => {$(
        impl<H> Answer<H> for $ty {
            fn describe(operation: &mut Operation) {
                operation.answers($media);
            }
        }
    )*};
}

texts!(
    String: "text/plain",
    &'static str: "text/plain",
    Cow<'static, str>: "text/plain",
    Bytes: "application/octet-stream",
    Vec<u8>: "application/octet-stream",
    &'static [u8]: "application/octet-stream",
);

impl<H, T> Answer<H> for Html<T> {
    fn describe(operation: &mut Operation) {
        operation.answers("text/html");
    }
}

impl<H, T> Answer<H> for Sse<T> {
    fn describe(operation: &mut Operation) {
        operation.answers("text/event-stream");
    }
}

impl<H> Answer<H> for () {
    fn describe(operation: &mut Operation) {
        operation.answers_nothing(StatusCode::OK);
    }
}

impl<H> Answer<H> for NoContent {
    fn describe(operation: &mut Operation) {
        operation.answers_nothing(StatusCode::NO_CONTENT);
    }
}

impl<H> Answer<H> for Redirect {
    fn describe(operation: &mut Operation) {
        operation.redirects();
    }
}

/// Which status that is only the handler knows, or `status = 204` says.
impl<H> Answer<H> for StatusCode {
    fn describe(operation: &mut Operation) {
        operation
            .answers_nothing(StatusCode::OK)
            .with_status_of_its_own();
    }
}

impl<H, T: Answer<H>> Answer<H> for (StatusCode, T) {
    fn describe(operation: &mut Operation) {
        T::describe(operation);
        operation.with_status_of_its_own();
    }
}

/// One of the headers may be the content's type.
impl<H, T: Answer<H>> Answer<H> for (HeaderMap, T) {
    fn describe(operation: &mut Operation) {
        T::describe(operation);
        operation.with_content_of_its_own();
    }
}

impl<H, K, V, T: Answer<H>, const N: usize> Answer<H> for ([(K, V); N], T) {
    fn describe(operation: &mut Operation) {
        T::describe(operation);
        operation.with_content_of_its_own();
    }
}
