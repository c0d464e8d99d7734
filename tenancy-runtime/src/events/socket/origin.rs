use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, header};

use crate::error::{Error, Result};
use crate::http::{HostName, Origin, once};

/// The page that opens a socket, as far as its browser tells.
#[derive(Debug)]
pub(super) enum Page {
    /// There is none: what sends no `Origin` is no browser, and sends nobody's
    /// cookies along unless it was given them.
    None,
    /// One of the host that the request is sent to.
    Own,
    /// Another one.
    Other(String),
}

impl Page {
    pub(super) fn of(request: &Parts) -> Self {
        match once(&request.headers, &header::ORIGIN) {
            Ok(None) => Self::None,
            Ok(Some(origin)) if is_own(origin, request) => Self::Own,
            Ok(Some(origin)) => Self::Other(text(origin)),
            Err(_) => Self::Other("several origins".to_owned()),
        }
    }

    /// Refuses a page that is neither of the request's own host nor allowed.
    pub(super) fn refuse_unless(&self, allowed: &[String]) -> Result<()> {
        match self {
            Self::None | Self::Own => Ok(()),
            Self::Other(origin) if allowed.iter().any(|one| one.eq_ignore_ascii_case(origin)) => {
                Ok(())
            }
            Self::Other(origin) => {
                tracing::info!(
                    %origin,
                    "a WebSocket is refused that a page of another host opens; if it may, list it \
                     with `allow_origins`; if it is your own, let the proxy keep `Host`, or list \
                     the proxy in TENANCY_TRUSTED_PROXIES"
                );
                Err(Error::CrossSite(
                    "a page of this origin may not open a WebSocket here".to_owned(),
                ))
            }
        }
    }
}

fn text(origin: &HeaderValue) -> String {
    String::from_utf8_lossy(origin.as_bytes()).into_owned()
}

/// Whether a page is of the host that the request is sent to, on whichever port:
/// cookies do not look at it either.
fn is_own(origin: &HeaderValue, request: &Parts) -> bool {
    let Some(page) = authority(origin) else {
        return false;
    };
    match Origin::from_parts(request).host() {
        Ok(Some(host)) => page
            .host()
            .parse::<HostName>()
            .is_ok_and(|page| page == *host),
        // An address, which is written in one way by all who take it from a URL.
        Ok(None) => {
            let host = request.headers.get(header::HOST);
            let host = host.and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
            host.is_some_and(|host| host.host().eq_ignore_ascii_case(page.host()))
        }
        Err(_) => false,
    }
}

/// The host and port of `https://host:port`; none of `null`.
fn authority(origin: &HeaderValue) -> Option<Authority> {
    let (scheme, authority) = origin.to_str().ok()?.split_once("://")?;
    let web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    web.then(|| authority.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn page(host: &str, origins: &[&str]) -> Page {
        let mut request = Request::builder().header("host", host);
        for origin in origins {
            request = request.header("origin", *origin);
        }
        Page::of(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn a_page_of_the_same_host_and_no_page_are_let_in() {
        for (host, origins) in [
            ("acme.app.com", &[][..]),
            ("acme.app.com", &["https://acme.app.com"]),
            ("acme.app.com:8443", &["https://ACME.app.com:8443"]),
            ("acme.app.com", &["http://acme.app.com:3000"]),
            ("127.0.0.1:8000", &["http://127.0.0.1:5173"]),
            ("localhost:8000", &["http://localhost:8000"]),
            ("[::1]:8000", &["http://[::1]:8000"]),
        ] {
            let page = page(host, origins);
            assert!(page.refuse_unless(&[]).is_ok(), "{host} {origins:?}");
        }
    }

    #[test]
    fn any_other_page_is_refused_unless_it_is_listed() {
        for (host, origins) in [
            ("acme.app.com", &["https://evil.com"][..]),
            ("acme.app.com", &["https://app.com"]),
            ("acme.app.com", &["https://globex.app.com"]),
            ("acme.app.com", &["https://acme.app.com.evil.com"]),
            ("acme.app.com", &["https://evil.com/acme.app.com"]),
            ("acme.app.com", &["https://acme.app.com@evil.com"]),
            ("acme.app.com", &["null"]),
            ("acme.app.com", &[""]),
            ("acme.app.com", &["file://acme.app.com"]),
            (
                "acme.app.com",
                &["https://acme.app.com", "https://evil.com"],
            ),
            ("acme.app.com", &["\u{e4}"]),
            ("127.0.0.1:8000", &["http://127.0.0.2:8000"]),
            ("", &["https://evil.com"]),
        ] {
            let page = page(host, origins);
            assert!(page.refuse_unless(&[]).is_err(), "{host} {origins:?}");
        }
        let allowed = ["https://app.com".to_owned()];
        let listed = page("acme.app.com", &["https://App.com"]);
        assert!(listed.refuse_unless(&allowed).is_ok());
        let other = page("acme.app.com", &["https://app.com:444"]);
        assert!(other.refuse_unless(&allowed).is_err());
    }
}
