use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;

use crate::error::{Error, Result};
use crate::http;

/// Who is behind a request, as the resolver has proved: the subject (`sub`) of a
/// token, or the owner of a key. Handlers take it as an argument, as
/// `Option<Principal>` where the tenant may have been named in another way.
///
/// A resolver of the application's own hands it on by
/// [`Candidate::with`](super::Candidate::with).
///
/// ```
/// use tenancy_runtime::resolve::Principal;
///
/// async fn me(principal: Principal) -> String {
///     format!("you are {principal}")
/// }
/// # let _: axum::Router = axum::Router::new().route("/me", axum::routing::get(me));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal(Box<str>);

impl Principal {
    /// The one of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        http::carried(parts)?.ok_or(Error::InvalidToken)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Principal {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>> {
        http::carried(parts)
    }
}
