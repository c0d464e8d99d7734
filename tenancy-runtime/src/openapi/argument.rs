use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Extension, MatchedPath, OriginalUri, RawQuery, Request};
use axum::http::{Extensions, HeaderMap, Method, Uri, Version};

use super::Operation;
use super::probe::Yes;

/// What a handler's argument says of the request, and of the answers to requests
/// that it refuses.
///
/// It is there for the extractors of this crate and of axum. For one of your own:
///
/// ```
/// use tenancy_runtime::openapi::{Argument, Operation};
///
/// /// The language in which to answer.
/// struct Language(String);
///
/// impl Argument for Language {
///     fn describe(operation: &mut Operation) {
///         operation.header("Accept-Language", "The language in which to answer.", false);
///     }
/// }
/// ```
///
/// An extractor without it compiles, and a route that takes one is described as one
/// that may answer anything, since the extractor may. `Schemas` says whether the
/// schemas of what it holds are known, and needs no mention for a type that holds
/// nothing.
pub trait Argument<Schemas = Yes> {
    /// Writes it down.
    fn describe(operation: &mut Operation);
}

/// Extractors of what every request has.
macro_rules! silent {
    ($($ty:ty),* $(,)?) => {$(
        impl<S> Argument<S> for $ty {
            fn describe(_: &mut Operation) {}
        }
    )*};
}

silent!(
    Extensions,
    HeaderMap,
    MatchedPath,
    Method,
    OriginalUri,
    RawQuery,
    Uri,
    Version,
);

impl<S, T> Argument<S> for Extension<T> {
    fn describe(_: &mut Operation) {}
}

impl<S, T> Argument<S> for ConnectInfo<T> {
    fn describe(_: &mut Operation) {}
}

macro_rules! bodies {
    ($($ty:ty: $media:literal),* $(,)?) => {$(
        impl<S> Argument<S> for $ty {
            fn describe(operation: &mut Operation) {
                // What axum answers where a body cannot be read is its own.
                operation.body($media).leave_open();
            }
        }
    )*};
}

bodies!(
    Body: "*/*",
    Bytes: "*/*",
    Request: "*/*",
    String: "text/plain",
);

/// It need not be there.
impl<S, T: Argument<S>> Argument<S> for Option<T> {
    fn describe(operation: &mut Operation) {
        operation.optional(T::describe);
    }
}

macro_rules! tuples {
    ($($($part:ident)+),* $(,)?) => {$(
        impl<S, $($part: Argument<S>),+> Argument<S> for ($($part,)+) {
            fn describe(operation: &mut Operation) {
                $($part::describe(operation);)+
            }
        }
    )*};
}

tuples!(A, A B, A B C, A B C D);
