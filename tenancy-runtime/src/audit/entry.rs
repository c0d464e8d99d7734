use chrono::{DateTime, SubsecRound as _, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::error::{Error, Result};

/// The longest word of the application's own that is kept, in characters: an
/// action, say.
const LONGEST_WORD: usize = 200;

/// The longest detail that is kept, in bytes of JSON.
const LONGEST_DETAIL: usize = 16 * 1024;

/// What happened, in the words of the application: each has at most 200 characters,
/// and the detail at most 16 KiB of JSON. Longer ones are not recorded, and so what
/// they tell of is not done ([`Error::InvalidInput`]).
///
/// ```
/// use serde_json::json;
/// use tenancy_runtime::audit::AuditEvent;
///
/// let event = AuditEvent::new("publish", "post").detail(json!({ "id": 7 }));
/// assert_eq!(event.action, "publish");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AuditEvent {
    /// What was done.
    pub action: String,
    /// To what.
    pub resource: String,
    /// How it ended; `done` unless said otherwise.
    pub outcome: String,
    /// More about it.
    pub detail: Value,
}

impl AuditEvent {
    /// Something that was done to something.
    #[must_use]
    pub fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            resource: resource.into(),
            outcome: "done".to_owned(),
            detail: Value::Null,
        }
    }

    /// Says how it ended.
    #[must_use]
    pub fn outcome(mut self, outcome: impl Into<String>) -> Self {
        self.outcome = outcome.into();
        self
    }

    /// Says more about it. No secrets: the trail is kept for long.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }

    /// The event, if all of it can be kept.
    pub(super) fn checked(self) -> Result<Self> {
        let words = [
            ("action", &self.action),
            ("resource", &self.resource),
            ("outcome", &self.outcome),
        ];
        for (what, word) in words {
            let length = word.chars().count();
            if length > LONGEST_WORD {
                return Err(Error::InvalidInput(format!(
                    "the {what} of an entry of the trail has {length} characters, and at most \
                     {LONGEST_WORD} are kept"
                )));
            }
        }
        let length = self.detail.to_string().len();
        if length > LONGEST_DETAIL {
            return Err(Error::InvalidInput(format!(
                "the detail of an entry of the trail has {length} bytes, and at most \
                 {LONGEST_DETAIL} are kept"
            )));
        }
        Ok(self)
    }
}

/// What happened, when, and who is behind it.
#[derive(Debug, Clone, PartialEq, Serialize, diesel::Queryable)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AuditEntry {
    /// The key.
    pub id: Uuid,
    /// When it was recorded: by the clock of the process that hands it to its sink,
    /// and by PostgreSQL's where it is read from a
    /// [`DatabaseTrail`](super::DatabaseTrail).
    pub at: DateTime<Utc>,
    /// Who did it: the request's [`Principal`](crate::resolve::Principal), or `anonymous`.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub resource: String,
    /// How it ended.
    pub outcome: String,
    /// The sender's address, as far as it can be believed.
    pub ip: Option<String>,
    /// What the sender says of itself.
    pub user_agent: Option<String>,
    /// Names the request, in the sender's words or ours.
    pub request_id: Option<String>,
    /// More about it.
    pub detail: Value,
}

impl AuditEntry {
    pub(super) fn new(event: AuditEvent, actor: String) -> Self {
        Self {
            id: Uuid::now_v7(),
            // As exactly as PostgreSQL keeps it.
            at: Utc::now().trunc_subsecs(6),
            actor,
            action: event.action,
            resource: event.resource,
            outcome: event.outcome,
            ip: None,
            user_agent: None,
            request_id: None,
            detail: event.detail,
        }
    }
}
