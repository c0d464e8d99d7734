use chrono::{DateTime, SubsecRound as _, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// What happened, in the words of the application.
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
}

/// What happened, when, and who is behind it.
#[derive(Debug, Clone, PartialEq, Serialize, diesel::Queryable)]
#[non_exhaustive]
pub struct AuditEntry {
    /// The key, which rises with time (UUIDv7).
    pub id: Uuid,
    /// When it was recorded.
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
