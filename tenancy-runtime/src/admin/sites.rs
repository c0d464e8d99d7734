//! Whether a browser sends a request for a page of another site.
//!
//! A page on any site can have its reader's browser post to `localhost`, or to an
//! application to which the reader has signed in; with a body that looks like a
//! form it does not even ask first. Browsers say so (`Sec-Fetch-Site`, and older
//! ones `Origin`), which is enough to refuse: who is no browser sends neither.

use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, header};

use crate::http::{Origin, once};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether the request comes from a page of another site, as far as the browser
/// says so.
pub(super) fn is_foreign(request: &Parts) -> bool {
    let headers = &request.headers;
    if headers.contains_key(&FETCH_SITE) {
        let mut said = headers.get_all(&FETCH_SITE).iter();
        // `none` is what a reader has typed.
        return said.any(|site| site != "same-origin" && site != "none");
    }
    if !headers.contains_key(header::ORIGIN) {
        return false;
    }
    !origin(headers).is_some_and(|origin| is_ours(&origin, request))
}

/// The host of the one `Origin`; a page that hides its own sends `null`.
fn origin(headers: &HeaderMap) -> Option<Authority> {
    let value = one(headers, &header::ORIGIN)?;
    let (_, host) = value.split_once("://")?;
    host.parse().ok()
}

fn is_ours(origin: &Authority, request: &Parts) -> bool {
    let read = Origin::from_parts(request);
    if read.proxied().is_some() {
        // A proxy that we believe has written another host into the request.
        let named = read.host().ok().flatten();
        return named.is_some_and(|named| named.as_str().eq_ignore_ascii_case(origin.host()));
    }
    host(request).is_some_and(|host| host == *origin)
}

/// The host that the request is sent to, with its port.
pub(super) fn host(request: &Parts) -> Option<Authority> {
    if let Some(authority) = request.uri.authority() {
        return Some(authority.clone());
    }
    one(&request.headers, &header::HOST)?.parse().ok()
}

/// The text of a header that is there once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    once(headers, name).ok().flatten()?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn pages_of_other_sites_are_told_from_everybody_else() {
        let of = |sent: &[(&'static str, &str)]| {
            let mut request = Request::builder().uri("/").header("host", "localhost:8000");
            for (name, value) in sent {
                request = request.header(*name, *value);
            }
            is_foreign(&request.body(()).unwrap().into_parts().0)
        };
        for ours in [
            &[][..],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
            &[("origin", "http://localhost:8000")],
            &[("origin", "http://LOCALHOST:8000")],
        ] {
            assert!(!of(ours), "{ours:?}");
        }
        for foreign in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "")],
            &[
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-origin"),
            ],
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "http://localhost:8000"),
            ],
            &[("origin", "null")],
            &[("origin", "http://evil.com")],
            &[("origin", "http://localhost:3000")],
            &[("origin", "http://localhost:8000.evil.com")],
            &[
                ("origin", "http://localhost:8000"),
                ("origin", "http://evil.com"),
            ],
        ] {
            assert!(of(foreign), "{foreign:?}");
        }
    }
}
