use std::convert::Infallible;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt as _};

use super::event::{Delivery, MISSED, missed};
use super::places::Place;
use super::subscription::Subscription;
use crate::error::Result;

/// After how much silence a comment is sent, so that nobody on the way takes the
/// connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// After how long a client comes back at the earliest whose stream has ended, and how
/// much later at the latest: all those of a process that stops end at once.
const RETRY: Duration = Duration::from_secs(1);
const SPREAD: Duration = Duration::from_secs(2);

/// The answer that streams a tenant's events to a client, as [server-sent events]:
/// each with its id, its kind and its JSON. `missed` (`{"count": 3}`, or `null` where
/// the number is not known) says that some were lost, also first of all to a client
/// that comes back. Made by [`Subscription::into_sse`].
///
/// It ends when the tenant may be served no longer, and when the process stops. Beyond
/// `TENANCY_STREAMS_PER_TENANT` of a tenant's the answer is 503 `unavailable`.
///
/// [server-sent events]: https://html.spec.whatwg.org/multipage/server-sent-events.html
#[derive(Debug)]
#[must_use = "return it from the handler"]
pub struct EventStream(Result<(Subscription, Place)>);

impl Subscription {
    /// As an answer of server-sent events.
    pub fn into_sse(self) -> EventStream {
        EventStream(self.place().map(|place| (self, place)))
    }
}

impl IntoResponse for EventStream {
    fn into_response(self) -> Response {
        let (subscription, place) = match self.0 {
            Ok(has_place) => has_place,
            Err(refused) => return refused.into_response(),
        };
        let first = sse::Event::default().retry(retry()).comment("");
        let events = subscription.map(move |delivery| {
            // Kept for as long as the answer streams.
            let _ = &place;
            frame(delivery)
        });
        let events = stream::once(async { first }).chain(events);
        let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
        let answer = Sse::new(events.map(Ok::<_, Infallible>)).keep_alive(keep_alive);
        // Has nginx hand on what there is.
        let unbuffered = (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        );
        ([unbuffered], answer).into_response()
    }
}

/// Another one for each client. The hasher's keys are as random as this has to be.
fn retry() -> Duration {
    let part = f64::from(RandomState::new().hash_one(()) as u32) / f64::from(u32::MAX);
    RETRY + SPREAD.mul_f64(part)
}

fn frame(delivery: Delivery) -> sse::Event {
    match delivery {
        Delivery::Event(event) => sse::Event::default()
            .id(event.id().to_string())
            .event(event.kind())
            .data(event.json()),
        Delivery::Missed { count } => sse::Event::default().event(MISSED).data(missed(count)),
    }
}
