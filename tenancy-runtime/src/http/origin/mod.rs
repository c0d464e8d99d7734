//! Where a request comes from and which host it was sent to, as far as that can
//! be believed.
//!
//! Anybody can write `X-Forwarded-Host: other-tenant.myapp.com`. So what such
//! headers say counts only where the other end of the connection is a proxy that
//! the deployment trusts, and then only what the *right-most* trusted proxies
//! have added: what stands left of that is the client's own text. Headers that
//! contradict each other are no ground to choose one.

mod forwarded;
mod proxies;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use tower::{Layer, Service};

use super::HostName;
use crate::error::{Error, Result};
use forwarded::Hop;

pub use proxies::{InvalidProxies, TrustedProxies};

/// Who sent a request, and to which host. An extractor on every route of an
/// [`App`](crate::app::App).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    client: Option<IpAddr>,
    host: Host,
    /// The host that the last proxy spoke to, if it was one.
    proxied: Option<HostName>,
}

/// A host, or why there is none to go by.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Named(HostName),
    /// An address, or not sent at all.
    Unnamed,
    /// More than one, or not readable.
    Unclear,
}

impl Origin {
    /// Reads the headers of a request, and believes `proxies` what they add.
    pub(crate) fn of(request: &Parts, proxies: &TrustedProxies) -> Self {
        let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|ConnectInfo(address)| address.ip().to_canonical());
        let direct = Self {
            client: peer,
            host: direct_host(request),
            proxied: None,
        };
        match peer {
            Some(peer) if proxies.contains(peer) => direct.behind(&request.headers, proxies),
            _ => direct,
        }
    }

    /// What was read of a request when it came in; read now, believing nobody,
    /// where it did not come through an [`App`](crate::app::App).
    pub(crate) fn from_parts(request: &Parts) -> Self {
        let read = request.extensions.get().cloned();
        read.unwrap_or_else(|| Self::of(request, &TrustedProxies::default()))
    }

    /// The sender's address, unless its own proxy keeps it secret or the server
    /// does not know its peers
    /// ([`into_make_service_with_connect_info`](axum::Router::into_make_service_with_connect_info)).
    #[must_use]
    pub fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// The host that the request names; `None` where that is an address.
    ///
    /// # Errors
    ///
    /// [`Error::TenantUnresolved`] where it names several, or none that can be
    /// read.
    pub fn host(&self) -> Result<Option<&HostName>> {
        match &self.host {
            Host::Named(host) => Ok(Some(host)),
            Host::Unnamed => Ok(None),
            Host::Unclear => Err(Error::TenantUnresolved),
        }
    }

    /// The host in the request itself, where a proxy names another one.
    pub(crate) fn proxied(&self) -> Option<&HostName> {
        self.proxied.as_ref()
    }

    /// What a trusted proxy says instead.
    fn behind(self, headers: &HeaderMap, proxies: &TrustedProxies) -> Self {
        let unclear = Self {
            client: self.client,
            host: Host::Unclear,
            proxied: None,
        };
        self.believe(headers, proxies).unwrap_or(unclear)
    }

    /// `None` if the headers are malformed or contradict each other.
    fn believe(self, headers: &HeaderMap, proxies: &TrustedProxies) -> Option<Self> {
        let standard = joined(headers, "forwarded")?.map(|value| forwarded::forwarded(&value));
        let older = joined(headers, "x-forwarded-for")?;
        let older = older.map(|value| {
            let ours = |client| proxies.contains(client);
            forwarded::x_forwarded_for(&value, ours)
        });
        let host = joined(headers, "x-forwarded-host")?;
        let standard = match standard {
            Some(hops) => Some(outermost(hops?, proxies)),
            None => None,
        };
        let older = match older {
            Some(hops) => Some(outermost(hops?, proxies)),
            None => None,
        };
        let client = match (&standard, &older) {
            (None, None) => self.client,
            (Some(one), None) | (None, Some(one)) => one.client,
            (Some(one), Some(other)) if one.client == other.client => one.client,
            (Some(_), Some(_)) => return None,
        };
        let hosts = [standard.and_then(|hop| hop.host), host];
        let mut hosts = hosts.into_iter().flatten().map(|host| named(&host));
        let host = match (hosts.next(), hosts.next()) {
            (None, _) => return Some(Self { client, ..self }),
            (Some(host), None) => host,
            (Some(one), Some(other)) if one == other => one,
            (Some(_), Some(_)) => return None,
        };
        let proxied = match self.host {
            Host::Named(host) => Some(host),
            Host::Unnamed | Host::Unclear => None,
        };
        Some(Self {
            client,
            host,
            proxied,
        })
    }
}

/// What the proxy noted that is the first of ours to see the request: the hops
/// are gone through from the nearest on, for as long as the sender is one of ours.
fn outermost(hops: Vec<Hop>, proxies: &TrustedProxies) -> Hop {
    let mut outermost = Hop::default();
    for hop in hops.into_iter().rev() {
        let ours = hop.client.is_some_and(|client| proxies.contains(client));
        outermost = hop;
        if !ours {
            break;
        }
    }
    outermost
}

/// The value of a header that may be sent in several parts; `Some(None)` if it
/// is not there, `None` if it is no text.
fn joined(headers: &HeaderMap, name: &str) -> Option<Option<String>> {
    let values = headers.get_all(name).iter();
    let values: Vec<&str> = values
        .map(|value| value.to_str().ok())
        .collect::<Option<_>>()?;
    Some((!values.is_empty()).then(|| values.join(",")))
}

/// The host in the request itself. A request that has it twice is refused:
/// who stands in front may have looked at the other one.
fn direct_host(request: &Parts) -> Host {
    let values = request.headers.get_all(header::HOST).iter();
    let header = values.map(|value| value.to_str().unwrap_or_default());
    let target = request.uri.authority().map(Authority::as_str);
    let mut all = target.into_iter().chain(header).map(named);
    let Some(first) = all.next() else {
        return Host::Unnamed;
    };
    let agrees = all.all(|other| other == first);
    let doubled = request.headers.get_all(header::HOST).iter().count() > 1;
    if agrees && !doubled {
        first
    } else {
        Host::Unclear
    }
}

fn named(text: &str) -> Host {
    match text.parse() {
        Ok(host) => Host::Named(host),
        Err(_) if is_address(text) => Host::Unnamed,
        Err(_) => Host::Unclear,
    }
}

fn is_address(text: &str) -> bool {
    let bracketed = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    text.parse::<SocketAddr>().is_ok() || bracketed.unwrap_or(text).parse::<IpAddr>().is_ok()
}

/// Reads the origin of each request, for all that comes after it.
#[derive(Debug, Clone)]
pub(crate) struct OriginLayer(Arc<TrustedProxies>);

impl OriginLayer {
    pub(crate) fn new(proxies: TrustedProxies) -> Self {
        Self(Arc::new(proxies))
    }
}

impl<S> Layer<S> for OriginLayer {
    type Service = ReadOrigin<S>;

    fn layer(&self, inner: S) -> ReadOrigin<S> {
        let proxies = Arc::clone(&self.0);
        ReadOrigin { inner, proxies }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct ReadOrigin<S> {
    inner: S,
    proxies: Arc<TrustedProxies>,
}

impl<S: Service<Request>> Service<Request> for ReadOrigin<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> S::Future {
        let (mut parts, body) = request.into_parts();
        let origin = Origin::of(&parts, &self.proxies);
        parts.extensions.insert(origin);
        self.inner.call(Request::from_parts(parts, body))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Origin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        Ok(Self::from_parts(parts))
    }
}

#[cfg(test)]
mod tests;
