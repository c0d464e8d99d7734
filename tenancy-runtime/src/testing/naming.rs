//! How the requests of a test name their tenant: as the application's resolver
//! reads it.

use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderName, HeaderValue, Uri, header};

use crate::problem::Problem;
use crate::resolve::Resolution;
use crate::tenant::Slug;

/// Writes one tenant's name into a request.
pub(super) type Name = Arc<dyn Fn(&mut Parts) + Send + Sync>;

/// Writes a tenant's name into a request.
pub(super) type Naming = Arc<dyn Fn(&Slug, &mut Parts) + Send + Sync>;

/// The first of the application's ways that needs no secret of the application's.
pub(super) fn of(ways: &[Resolution]) -> Result<Naming, Problem> {
    ways.iter().find_map(way).ok_or_else(|| {
        Problem::new(
            "the test kit",
            "cannot tell how requests name their tenant to a resolver of tokens or of the \
             application's own",
            "say how: TestApp::of(app).naming(|slug, request| { /* set a header */ })",
        )
    })
}

fn way(way: &Resolution) -> Option<Naming> {
    match way {
        Resolution::Header(resolver) => {
            let header = resolver.header().clone();
            Some(Arc::new(move |slug, request| {
                set(request, &header, slug.as_str());
            }))
        }
        Resolution::Subdomain(resolver) => {
            let domain = resolver.domain().to_string();
            Some(Arc::new(move |slug, request| {
                set(request, &header::HOST, &format!("{slug}.{domain}"));
            }))
        }
        Resolution::Path(resolver) => {
            let prefix = resolver.prefix().to_owned();
            Some(Arc::new(move |slug, request| {
                let path = format!("{prefix}/{slug}{}", request.uri);
                if let Ok(path) = PathAndQuery::try_from(path) {
                    request.uri = Uri::from(path);
                }
            }))
        }
        Resolution::Jwt(_) | Resolution::Custom(_) => None,
    }
}

fn set(request: &mut Parts, header: &HeaderName, value: &str) {
    // Slugs and host names are always values of headers.
    if let Ok(value) = HeaderValue::from_str(value) {
        request.headers.insert(header, value);
    }
}
