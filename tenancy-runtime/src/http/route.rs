//! A handler together with its route, so that it can be listed by name.

use axum::handler::Handler;
use axum::routing::MethodRouter;

#[cfg(feature = "openapi")]
use crate::openapi::Operation;
use crate::plan::RouteLimit;

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `GET`, and `HEAD` unless a route of its own takes it.
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
    /// `HEAD`
    Head,
    /// `OPTIONS`
    Options,
}

impl Verb {
    /// The method as requests have it: `GET`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
        }
    }
}

/// What the trail says of the requests to a route, in the application's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audited {
    /// What is done.
    pub action: &'static str,
    /// To what.
    pub resource: &'static str,
}

/// What a route wants of the request's tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantUse {
    /// Nobody comes through without one.
    Required,
    /// The tenant is admitted if the request names one.
    Optional,
    /// The route belongs to no tenant, and the request is not looked at.
    None,
}

/// Where a handler is found, and what the application must have for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteSpec {
    /// The method.
    pub method: Verb,
    /// The path as axum writes it: `/todos/{id}`.
    pub path: &'static str,
    /// Whether its requests are recorded, which needs a trail.
    pub audited: bool,
}

/// A handler with a route; `#[tenant_handler(get, "/path")]` implements it for
/// a type that carries the handler's name. By hand:
///
/// ```
/// use axum::routing::MethodRouter;
/// use tenancy_runtime::http::{RoutedHandler, TenantUse, Verb, routing};
///
/// async fn health() {}
///
/// struct Health;
/// impl RoutedHandler for Health {
///     const METHOD: Verb = Verb::Get;
///     const PATH: &'static str = "/health";
///     const TENANT: TenantUse = TenantUse::None;
///     fn handler() -> MethodRouter {
///         routing::get(health)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no route",
    label = "write `#[tenant_handler(get, \"/path\")]` on the handler"
)]
pub trait RoutedHandler {
    /// The method.
    const METHOD: Verb;
    /// The path as axum writes it: `/todos/{id}`.
    const PATH: &'static str;
    /// What the route wants of the request's tenant.
    const TENANT: TenantUse;
    /// How often each tenant may call it, if that is limited here.
    const RATE_LIMIT: Option<RouteLimit> = None;
    /// How each request is recorded in the tenant's trail, if it is.
    const AUDIT: Option<Audited> = None;
    /// What the application is told of it.
    const SPEC: RouteSpec = RouteSpec {
        method: Self::METHOD,
        path: Self::PATH,
        audited: Self::AUDIT.is_some(),
    };

    /// The handler under its method.
    fn handler() -> MethodRouter;

    /// What the route is described as, beside its method, its path and what it wants
    /// of a tenant; nothing unless said.
    #[cfg(feature = "openapi")]
    fn describe(operation: &mut Operation) {
        operation.leave_open();
    }
}

/// A function that axum can call, with arguments of the types `T`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    label = "see the other error about this function: it names the argument or answer"
)]
pub trait RouteFunction<T>: Handler<T, ()> {}

#[diagnostic::do_not_recommend]
impl<T, H: Handler<T, ()>> RouteFunction<T> for H {}

/// axum's functions of the same names, asking for a [`RouteFunction`] so that
/// the compiler explains a mistake in our words.
pub mod routing {
    use axum::routing::MethodRouter;

    use super::RouteFunction;

    macro_rules! methods {
        ($($name:ident)*) => {$(
            #[doc = concat!("See [`axum::routing::", stringify!($name), "`].")]
            pub fn $name<T: 'static, H: RouteFunction<T>>(handler: H) -> MethodRouter {
                axum::routing::$name(handler)
            }
        )*};
    }

    methods!(get post put patch delete head options);
}

/// Whether a route of `earlier` takes the requests of `route`. The names of
/// parameters do not matter: `/{id}` and `/{name}` are one path.
#[must_use]
pub const fn is_taken(earlier: &[RouteSpec], route: RouteSpec) -> bool {
    let mut i = 0;
    while i < earlier.len() {
        if earlier[i].method as u8 == route.method as u8 && same_path(earlier[i].path, route.path) {
            return true;
        }
        i += 1;
    }
    false
}

/// Whether two paths take the same requests.
pub(crate) const fn same_path(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if a[i] != b[j] {
            return false;
        }
        if a[i] == b'{' {
            // `{{` stands for a brace, `{*rest}` for several segments.
            let (next_a, next_b) = (at(a, i + 1), at(b, j + 1));
            if next_a == b'{' && next_b == b'{' {
                i += 1;
                j += 1;
            } else if next_a != b'{' && next_b != b'{' && (next_a == b'*') == (next_b == b'*') {
                while i < a.len() && a[i] != b'}' {
                    i += 1;
                }
                while j < b.len() && b[j] != b'}' {
                    j += 1;
                }
            }
        }
        i += 1;
        j += 1;
    }
    i == a.len() && j == b.len()
}

const fn at(text: &[u8], i: usize) -> u8 {
    if i < text.len() { text[i] } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_parameters_do_not_tell_paths_apart() {
        for (a, b, same) in [
            ("/todos", "/todos", true),
            ("/todos", "/todo", false),
            ("/todos/{id}", "/todos/{name}", true),
            ("/todos/{id}/x", "/todos/{name}/y", false),
            ("/todos/{id}", "/todos/{*rest}", false),
            ("/todos/{{id}}", "/todos/{id}", false),
            ("/todos/{{id}}", "/todos/{{id}}", true),
            ("/{a}", "/b", false),
        ] {
            assert_eq!(same_path(a, b), same, "{a} {b}");
            assert_eq!(same_path(b, a), same, "{b} {a}");
        }
    }
}
