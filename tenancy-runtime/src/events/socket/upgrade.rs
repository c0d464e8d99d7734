use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::drive::{Terms, drive};
use super::origin::Page;
use super::tenant_socket::TenantSocket;
use crate::admit::Revocation;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::http::provided;
use crate::tenant::Tenant;

/// The longest message that is taken, unless the route says another.
const LONGEST: usize = 64 * 1024;

/// What the library keeps for each socket, beside one message each way.
const BUFFER: usize = 16 * 1024;

/// How often the peer is asked whether it is there.
const PING: Duration = Duration::from_secs(20);

/// How long the peer may take to make room for what is sent.
const SEND: Duration = Duration::from_secs(10);

/// A request for a WebSocket of the tenant that was admitted: an extractor.
///
/// ```
/// use axum::response::Response;
/// use tenancy_runtime::events::{TenantEvents, TenantWebSocket};
///
/// async fn live(socket: TenantWebSocket, events: TenantEvents) -> Response {
///     socket.on_upgrade(async move |mut socket| {
///         socket.forward(events.subscribe().await).await
///     })
/// }
/// ```
///
/// A page of another host is refused with 403 `cross_site`, since its browser
/// sends the cookies of this one along ([`allow_origins`](Self::allow_origins)). What
/// sends no `Origin` is let in. Beyond `TENANCY_STREAMS_PER_TENANT` of a tenant's the
/// answer is 503 `unavailable`.
#[must_use = "a request for a WebSocket is answered by `on_upgrade`"]
#[derive(Debug)]
pub struct TenantWebSocket {
    upgrade: WebSocketUpgrade,
    page: Page,
    allowed: Vec<String>,
    longest: usize,
    terms: Terms,
}

impl TenantWebSocket {
    /// Lets pages of these origins in as well, such as `https://app.example.com`.
    pub fn allow_origins<T: Into<String>>(mut self, origins: impl IntoIterator<Item = T>) -> Self {
        self.allowed.extend(origins.into_iter().map(Into::into));
        self
    }

    /// The most bytes of a message from the peer, 64 KiB if nothing else is said. A
    /// longer one closes the socket (1009).
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.longest = bytes;
        self
    }

    /// How often the peer is pinged, 20 seconds if nothing else is said. One that has
    /// not answered by the next time is given up.
    pub fn ping_every(mut self, period: Duration) -> Self {
        self.terms.ping = period;
        self
    }

    /// How long the peer may take to read what is sent, 10 seconds if nothing else is
    /// said. One that takes longer is given up.
    pub fn send_within(mut self, patience: Duration) -> Self {
        self.terms.send = patience;
        self
    }

    /// Answers the request, and runs `handler` on the socket for as long as there is
    /// one: dropped, at whichever `.await` it stands, when the tenant may be served no
    /// longer (1008) and when the process stops (1012). When it ends the socket is
    /// closed: with 1000, or by the code of its error ([`Error::code`] is the reason),
    /// 1011 for those of the inside and for a panic. When the peer goes,
    /// [`receive`](TenantSocket::receive) has nothing more, and the handler has ten
    /// seconds to end.
    #[must_use = "a socket is upgraded when this response is returned"]
    pub fn on_upgrade<C, F>(self, handler: C) -> Response
    where
        C: FnOnce(TenantSocket) -> F + Send + 'static,
        F: Future<Output = Result<()>> + Send + 'static,
    {
        if let Err(refusal) = self.page.refuse_unless(&self.allowed) {
            return refusal.into_response();
        }
        let terms = self.terms;
        self.upgrade
            .max_message_size(self.longest)
            .max_frame_size(self.longest)
            .read_buffer_size(BUFFER)
            .write_buffer_size(BUFFER)
            .on_upgrade(move |socket| drive(socket, terms, handler))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for TenantWebSocket {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        // Says why there is no tenant.
        let tenant = <Tenant as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        let revocation = Revocation::from_request_parts(parts, state).await?;
        let events: Events = provided(parts, "TenantWebSocket")?;
        let page = Page::of(parts);
        let upgrade = WebSocketUpgrade::from_request_parts(parts, state).await;
        let upgrade = upgrade.map_err(|rejection| match rejection {
            WebSocketUpgradeRejection::MethodNotGet(_) => Error::MethodNotAllowed,
            other => Error::InvalidInput(format!("this route opens WebSockets: {other}")),
        })?;
        let (stay, place) = (events.stay(), events.places().take(tenant.id())?);
        Ok(Self {
            upgrade,
            page,
            allowed: Vec::new(),
            longest: LONGEST,
            terms: Terms {
                revocation,
                stay,
                _place: place,
                ping: PING,
                send: SEND,
            },
        })
    }
}
