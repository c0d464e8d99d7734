use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use uuid::Uuid;

use super::held::Held;
use crate::error::{Error, Result};
use crate::problem::shown;

/// The most bytes of JSON that an event may have.
const LARGEST: usize = 64 * 1024;

/// The longest kind.
const LONGEST_KIND: usize = 64;

/// What an event takes beside its text, about.
const AROUND: usize = 128;

/// What streams call the word that something was missed.
pub(super) const MISSED: &str = "missed";

/// A text that is sent without being copied.
#[cfg(feature = "ws")]
type Shared = axum::extract::ws::Utf8Bytes;
#[cfg(not(feature = "ws"))]
type Shared = Box<str>;

/// Something that happened to a tenant, as it was published. Cheap to clone.
#[derive(Clone)]
pub struct Event(Arc<Parts>);

struct Parts {
    id: Uuid,
    /// As it is sent over WebSockets, and where its parts stand in that.
    message: Shared,
    kind: Range<usize>,
    data: Range<usize>,
    /// Counts what is kept of events in memory, for as long as this is.
    _held: Held,
}

/// What a [`Subscription`](super::Subscription) hands out.
#[derive(Debug, Clone)]
pub enum Delivery {
    /// An event of the tenant.
    Event(Event),
    /// Events were lost on the way to here: read from the tables what is true now.
    Missed {
        /// How many, where that is known: it is for those that a slow consumer has
        /// let lie, and not for those that did not come from another process.
        count: Option<u64>,
    },
}

impl Event {
    /// Checks and encodes what is published.
    pub(super) fn new(kind: &str, data: &impl Serialize, held: &Held) -> Result<Self> {
        let data = serde_json::to_string(data).map_err(Error::internal)?;
        Self::encoded(Uuid::now_v7(), kind, data, held).map_err(Error::InvalidInput)
    }

    /// One that comes from another process; `None` for what none of ours has checked.
    pub(super) fn received(id: Uuid, kind: &str, data: &str, held: &Held) -> Option<Self> {
        serde_json::from_str::<IgnoredAny>(data).ok()?;
        Self::encoded(id, kind, data.to_owned(), held).ok()
    }

    fn encoded(id: Uuid, kind: &str, mut data: String, held: &Held) -> Result<Self, String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
        if kind.is_empty() || kind.len() > LONGEST_KIND || !kind.bytes().all(plain) {
            return Err(format!(
                "the kind of an event has 1 to {LONGEST_KIND} letters, digits, `_`, `-`, `.` and \
                 `:`; got `{}`",
                shown(kind)
            ));
        }
        if kind == MISSED {
            return Err(format!(
                "`{MISSED}` is what a stream says of events that were lost, and no kind of event"
            ));
        }
        if data.len() > LARGEST {
            return Err(format!(
                "an event has at most {LARGEST} bytes of JSON, and this one has {}: publish the \
                 key of what has changed, and let who hears of it read that",
                data.len()
            ));
        }
        if data.contains(['\n', '\r']) {
            // Between values only, as in strings they are escaped: JSON that was
            // formatted by somebody else. In streams a line ends with them.
            data = data.replace(['\n', '\r'], " ");
        }
        // Nothing in a kind or an id has to be escaped.
        let before = format!(r#"{{"id":"{id}","kind":""#).len();
        let message = format!(r#"{{"id":"{id}","kind":"{kind}","data":{data}}}"#);
        let kind = before..before + kind.len();
        let data = message.len() - 1 - data.len()..message.len() - 1;
        Ok(Self(Arc::new(Parts {
            id,
            _held: held.hold(AROUND + message.len()),
            message: message.into(),
            kind,
            data,
        })))
    }

    /// Its identity, a UUIDv7.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.0.id
    }

    /// What kind of event it is, as the publisher calls it.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.0.message[self.0.kind.clone()]
    }

    /// The JSON that was published with it.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.0.message[self.0.data.clone()]
    }

    /// What was published with it.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] when it does not read as `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(self.json()).map_err(Error::internal)
    }

    /// As it is sent over WebSockets.
    #[cfg(feature = "ws")]
    pub(super) fn message(&self) -> Shared {
        self.0.message.clone()
    }

    /// What it keeps of the memory for events.
    pub(super) fn size(&self) -> usize {
        AROUND + self.0.message.len()
    }
}

impl Delivery {
    /// As JSON: `{"id": "…", "kind": "…", "data": …}`, or `{"kind": "missed", "data":
    /// {"count": 3}}`, where `count` may be `null`. That is what a WebSocket sends.
    #[must_use]
    pub fn to_json(&self) -> String {
        match self {
            Self::Event(event) => event.0.message.to_string(),
            Self::Missed { count } => {
                format!(r#"{{"kind":"{MISSED}","data":{}}}"#, missed(*count))
            }
        }
    }
}

/// What is said of a gap.
pub(super) fn missed(count: Option<u64>) -> String {
    serde_json::json!({ "count": count }).to_string()
}

impl fmt::Debug for Event {
    /// Without the data, which is the tenant's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("id", &self.0.id)
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, data: &str) -> Result<Event, String> {
        let data = data.to_owned();
        Event::encoded(Uuid::now_v7(), kind, data, &Held::default())
    }

    #[test]
    fn what_would_break_a_stream_is_refused() {
        let long = "k".repeat(65);
        for kind in ["", "a b", "a\nb", "a\"b", "ä", "missed", &long] {
            assert!(event(kind, "1").is_err(), "{kind}");
        }
        let largest = format!("\"{}\"", "x".repeat(LARGEST - 2));
        assert!(event("k", &largest).is_ok());
        let refused = event("k", &format!("{largest} ")).unwrap_err();
        assert!(refused.contains("65537"), "{refused}");
        let pretty = event("k", "{\r\n \"a\": \"b\\n\"\n}").unwrap();
        assert!(!pretty.json().contains(['\n', '\r']));
        assert_eq!(pretty.data::<serde_json::Value>().unwrap()["a"], "b\n");
    }

    #[test]
    fn what_comes_from_elsewhere_is_json_or_nothing() {
        let held = Held::default();
        let received = |data| Event::received(Uuid::now_v7(), "k", data, &held).is_some();
        assert!(received(r#"{"a": [1, "b"]}"#));
        for data in ["", "text", "1 2", r#"1,"data":2"#, r#"cut off""#] {
            assert!(!received(data), "{data}");
        }
    }

    #[test]
    fn its_message_is_json() {
        let event = event("page.view", r#"{"path":"/"}"#).unwrap();
        let message: serde_json::Value = serde_json::from_str(&event.0.message).unwrap();
        assert_eq!(
            (event.kind(), event.json()),
            ("page.view", r#"{"path":"/"}"#)
        );
        assert_eq!(message["id"], event.id().to_string());
        assert_eq!(message["kind"], "page.view");
        assert_eq!(message["data"]["path"], "/");
        let missed = Delivery::Missed { count: Some(3) }.to_json();
        assert_eq!(missed, r#"{"kind":"missed","data":{"count":3}}"#);
    }
}
