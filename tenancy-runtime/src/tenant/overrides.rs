use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What a tenant has whatever its plan says: a feature that it was granted, or
/// one that it was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Override {
    /// Whether it was granted.
    pub granted: bool,
    /// When the plan decides again; never, if there is no such time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

impl Override {
    pub(crate) fn new(granted: bool, until: Option<DateTime<Utc>>) -> Self {
        Self { granted, until }
    }

    /// Whether it holds at this time.
    #[must_use]
    pub fn holds_at(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// The overrides of a tenant, by feature.
pub type Overrides = BTreeMap<String, Override>;
