//! Tenants named by the beginning of the path.
//!
//! The prefix is taken off before the request is routed, so that handlers and
//! their routes are the same as with any other resolver. Below a tenant's prefix there
//! are tenants' routes and no others, so that one which belongs to no tenant is unknown
//! there: a proxy that guards `/admin` would not know it there either.

use std::task::{Context, Poll};

use async_trait::async_trait;
use axum::extract::{FromRequestParts, Request};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use tower::{Layer, Service};

use super::{Candidate, Resolution, Resolver};
use crate::error::{Error, Result};
use crate::tenant::{InvalidSlug, Slug};

/// Reads the tenant's slug from the path: `/t/acme-corp/todos` with the prefix
/// `/t`. Handlers have the route `/todos`, and [`PathPrefix`] for links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathResolver {
    prefix: Box<str>,
}

/// Why a value is not the prefix of a [`PathResolver`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a path's prefix begins with `/`, ends without one, and has segments of letters, digits, `-`, \
     `_`, `.` and `~`"
)]
pub struct InvalidPrefix;

impl Default for PathResolver {
    fn default() -> Self {
        Self {
            prefix: "/t".into(),
        }
    }
}

impl PathResolver {
    /// Reads the segment after this prefix.
    ///
    /// # Panics
    ///
    /// If `prefix` is not `/` and a name, or several such. In `#[tenancy::app]`
    /// that is a compile error instead.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        match Self::parse(prefix) {
            Ok(resolver) => resolver,
            Err(error) => panic!("{error}; got `{}`", prefix.escape_debug()),
        }
    }

    pub(crate) fn parse(prefix: &str) -> Result<Self, InvalidPrefix> {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        let segment = |text: &str| !text.is_empty() && text != "." && text != "..";
        let segments = prefix.strip_prefix('/').ok_or(InvalidPrefix)?;
        if !segments
            .split('/')
            .all(|part| segment(part) && part.bytes().all(unreserved))
        {
            return Err(InvalidPrefix);
        }
        Ok(Self {
            prefix: prefix.into(),
        })
    }

    /// The one of these ways that is one, if there is.
    pub(crate) fn among(ways: &[Resolution]) -> Option<&Self> {
        ways.iter().find_map(|way| match way {
            Resolution::Path(resolver) => Some(resolver),
            _ => None,
        })
    }

    /// What stands before the slug.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Takes a tenant's prefix off the path, and notes it.
    fn strip(&self, request: &mut Request) {
        let Some(below) = request.uri().path().strip_prefix(&*self.prefix) else {
            return;
        };
        let Some(below) = below.strip_prefix('/') else {
            return;
        };
        let (name, rest) = match below.split_once('/') {
            Some((name, rest)) => (name, format!("/{rest}")),
            None => (below, "/".to_owned()),
        };
        // Dots mean another path to who stands in front than to us.
        let dots = |part: &str| {
            let part = part.to_ascii_lowercase().replace("%2e", ".");
            part == "." || part == ".."
        };
        let slug = if rest.split('/').any(dots) { "" } else { name };
        let named = Named {
            slug: slug.parse(),
            prefix: format!("{}/{name}", self.prefix).into(),
        };
        let target = match request.uri().query() {
            Some(query) => format!("{rest}?{query}"),
            None => rest,
        };
        let mut parts = request.uri().clone().into_parts();
        // What was a path without its beginning is one.
        let Ok(target) = target.parse::<PathAndQuery>() else {
            return;
        };
        parts.path_and_query = Some(target);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
            request.extensions_mut().insert(named);
        }
    }
}

/// The tenant that the path has named.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    slug: Result<Slug, InvalidSlug>,
    prefix: Box<str>,
}

#[async_trait]
impl Resolver for PathResolver {
    async fn resolve(&self, request: &Parts) -> Result<Option<Candidate>> {
        match request.extensions.get::<Named>() {
            None => Ok(None),
            Some(Named { slug: Ok(slug), .. }) => Ok(Some(Candidate::new(slug.clone()))),
            Some(Named { slug: Err(_), .. }) => Err(Error::TenantUnresolved),
        }
    }
}

/// What stands before a route's own path in the URL of this request, for links:
/// `/t/acme-corp`, or nothing where another resolver named the tenant.
///
/// ```
/// use tenancy_runtime::resolve::PathPrefix;
///
/// async fn first(prefix: PathPrefix) -> String {
///     format!("<a href=\"{prefix}/todos\">todos</a>")
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(first));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathPrefix(Box<str>);

impl PathPrefix {
    /// The prefix, without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathPrefix {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let named = parts.extensions.get::<Named>();
        Ok(named.map_or_else(Self::default, |named| Self(named.prefix.clone())))
    }
}

/// Takes tenants' prefixes off before the request is routed. It goes around a
/// whole router ([`App`](crate::app::App) does that): a layer of the router
/// itself would come after routing. Put around a router by hand, it has all routes of
/// that router below a tenant: those of no tenant are refused there by an
/// [`AdmissionLayer`](crate::admit::AdmissionLayer) around them, and by nothing else. An
/// `App` has two routers, so that they are unknown there whatever the method.
#[derive(Debug, Clone)]
pub struct StripPrefixLayer(pub PathResolver);

impl<S> Layer<S> for StripPrefixLayer {
    type Service = StripPrefix<S>;

    fn layer(&self, inner: S) -> StripPrefix<S> {
        StripPrefix {
            inner,
            resolver: self.0.clone(),
        }
    }
}

/// Takes tenants' prefixes off.
#[derive(Debug, Clone)]
pub struct StripPrefix<S> {
    inner: S,
    resolver: PathResolver,
}

impl<S: Service<Request>> Service<Request> for StripPrefix<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> S::Future {
        self.resolver.strip(&mut request);
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use proptest::prelude::*;

    use super::*;

    /// The path that is routed, and what the request names.
    fn strip(path: &str) -> (String, Option<Result<String, ()>>) {
        let mut request = Request::get(path).body(Body::empty()).unwrap();
        PathResolver::new("/t").strip(&mut request);
        let named = request.extensions().get::<Named>();
        let slug = named.map(|named| {
            named
                .slug
                .clone()
                .map(|slug| slug.to_string())
                .map_err(drop)
        });
        (request.uri().to_string(), slug)
    }

    #[test]
    fn the_prefix_is_taken_off_and_nothing_else() {
        let acme = Some(Ok("acme-corp".to_owned()));
        for (path, routed, named) in [
            (
                "/t/acme-corp/todos?done=true",
                "/todos?done=true",
                acme.clone(),
            ),
            ("/t/acme-corp", "/", acme.clone()),
            ("/t/acme-corp/", "/", acme.clone()),
            ("/t/acme-corp?x", "/?x", acme.clone()),
            ("/t/acme-corp//todos", "//todos", acme.clone()),
            ("/t/acme-corp/t/globex/todos", "/t/globex/todos", acme),
            ("/t/Acme/todos", "/todos", Some(Err(()))),
            ("/t/acme%2Fcorp/todos", "/todos", Some(Err(()))),
            ("/t/%61cme-corp/todos", "/todos", Some(Err(()))),
            ("/t/../todos", "/todos", Some(Err(()))),
            ("/t//todos", "/todos", Some(Err(()))),
            ("/t/acme-corp/../globex/x", "/../globex/x", Some(Err(()))),
            (
                "/t/acme-corp/%2E%2e/globex",
                "/%2E%2e/globex",
                Some(Err(())),
            ),
            ("/t/", "/", Some(Err(()))),
            ("/t", "/t", None),
            ("/todos", "/todos", None),
            ("/tt/acme-corp/todos", "/tt/acme-corp/todos", None),
            ("/T/acme-corp/todos", "/T/acme-corp/todos", None),
        ] {
            assert_eq!(strip(path), (routed.to_owned(), named), "{path}");
        }
        let (routed, _) = strip("http://myapp.com/t/acme-corp/todos");
        assert_eq!(routed, "http://myapp.com/todos");
    }

    #[test]
    fn a_prefix_is_a_path() {
        for good in ["/t", "/tenants", "/api/v1/t", "/~t"] {
            assert!(PathResolver::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "", "/", "t", "/t/", "//t", "/t//u", "/{t}", "/..", "/a/./b", "/t?", "/t x",
        ] {
            assert!(PathResolver::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_routed_somewhere(path in "/[!-~&&[^#<>\"`{}^\\\\|]]{0,40}") {
            if let Ok(mut request) = Request::get(&*path).body(Body::empty()) {
                PathResolver::new("/t").strip(&mut request);
                prop_assert!(request.uri().path().starts_with('/'));
            }
        }
    }
}
