//! What operators send and what they are answered, field by field.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
#[cfg(feature = "openapi")]
use serde_json::Map;
use serde_json::Value;
use uuid::Uuid;

use crate::audit::AuditEntry;
use crate::error::{Error, Result};
use crate::isolation::Strategy;
use crate::tenant::{Metadata, NewTenant, Overrides, Slug, TenantId, TenantRecord, TenantStatus};

/// A tenant to register.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateTenant {
    /// The public name: 3 to 63 characters of `a-z`, `0-9` and `-`.
    #[serde(alias = "slug")]
    pub identifier: Slug,
    /// The name for people; the identifier unless given.
    pub name: Option<String>,
    /// The plan; the default one unless given.
    pub plan: Option<String>,
    /// The features that it has beside those of its plan.
    #[serde(default)]
    pub features: BTreeSet<String>,
    /// What the application keeps with it. `{"$secret": "…"}` in it is a secret.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schemars(with = "Map<String, Value>"))]
    pub metadata: Metadata,
    /// How it is kept apart, where the application has several ways; as it chooses
    /// unless given.
    #[serde(alias = "isolation")]
    pub isolation_strategy: Option<Strategy>,
}

impl From<CreateTenant> for NewTenant {
    fn from(sent: CreateTenant) -> Self {
        let mut new = Self::from(sent.identifier);
        new.name = sent.name.unwrap_or(new.name);
        new.plan = sent.plan;
        new.features = sent.features;
        new.metadata = sent.metadata;
        new.strategy = sent.isolation_strategy;
        new
    }
}

/// A tenant as operators see it. Where its data lives stays inside.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct TenantEntry {
    /// Identity, never reused.
    pub id: TenantId,
    /// The public name.
    pub identifier: Slug,
    /// The name for people.
    pub name: String,
    /// Stage of life.
    pub status: TenantStatus,
    /// How its data is kept apart; `null` without a database.
    pub isolation_strategy: Option<Strategy>,
    /// The plan that is stored with it; `null` is the default one.
    pub plan: Option<String>,
    /// The features that it has beside those of its plan, since it was registered.
    pub features: BTreeSet<String>,
    /// By feature, what it was granted or refused since, whatever its plan says.
    pub overrides: Overrides,
    /// What the application keeps with it, with `{"$secret": null}` in the place of each
    /// secret.
    pub metadata: Value,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

impl From<TenantRecord> for TenantEntry {
    fn from(record: TenantRecord) -> Self {
        Self {
            isolation_strategy: record.strategy(),
            id: record.id,
            identifier: record.slug,
            name: record.name,
            status: record.status,
            plan: record.plan,
            features: record.features,
            overrides: record.overrides,
            metadata: record.metadata.shown(),
            created_at: record.created_at,
        }
    }
}

/// Which tenants to list.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    /// At most so many, 1 to 200; 50 unless given.
    pub limit: Option<u32>,
    /// Those behind this identifier: `next` of the page before.
    pub after: Option<Slug>,
    /// Those in whose identifier or name this stands, in whatever case of letters.
    pub search: Option<String>,
    /// Those at this stage of life.
    pub status: Option<TenantStatus>,
    /// Those on this plan.
    pub plan: Option<String>,
}

/// Some of the tenants.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct TenantList {
    /// They, in the order of their identifiers.
    pub tenants: Vec<TenantEntry>,
    /// What to give as `after` for the next page; `null` when there is none. A page
    /// of a search may have few tenants, or none, and still be followed by another.
    pub next: Option<Slug>,
}

/// What became of each tenant.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct BulkOutcome {
    /// How many are as they should be.
    pub succeeded: usize,
    /// How many are not.
    pub failed: usize,
    /// One for each that was sent, in that order.
    pub results: Vec<BulkResult>,
}

/// What became of one tenant of many.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct BulkResult {
    /// As it was sent.
    pub identifier: String,
    /// Its stage of life now; `null` where something went wrong.
    pub status: Option<TenantStatus>,
    /// The code of what went wrong.
    pub code: Option<&'static str>,
    /// More about it.
    pub detail: Option<String>,
}

/// The confirmation that a tenant's data is to be removed for good.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DestroyTenant {
    /// The tenant's identifier once more.
    pub confirm: Slug,
}

/// What a tenant uses.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct TenantUsage {
    /// The tenant.
    pub identifier: Slug,
    /// The plan that it is on.
    pub plan: Option<String>,
    /// By quota, how much of it is used.
    pub quotas: BTreeMap<String, QuotaUsage>,
    /// By table, what is in it, where the tenant has tables of its own; `null` where
    /// it shares them with others, as nobody knows without counting.
    pub tables: Option<BTreeMap<String, TableUsage>>,
}

/// How much of a quota is used.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct QuotaUsage {
    /// The rows that count.
    pub used: i64,
    /// How many there may be; `null` for as many as there are.
    pub limit: Option<i64>,
}

/// What is in a table.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct TableUsage {
    /// How many rows it has, as PostgreSQL estimates; `null` before it has.
    pub estimated_rows: Option<i64>,
    /// What it takes of the disk, with its indexes.
    pub bytes: i64,
}

/// Which entries of a tenant's trail to list.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct TrailQuery {
    /// At most so many, 1 to 200; 50 unless given.
    pub limit: Option<u32>,
    /// Those older than this one: `next` of the page before.
    pub before: Option<Uuid>,
}

/// Some of a tenant's trail.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct TrailPage {
    /// The entries, the newest first.
    pub entries: Vec<AuditEntry>,
    /// What to give as `before` for the next page; `null` when there is none.
    pub next: Option<Uuid>,
}

/// How many to answer with.
pub(super) fn page_size(limit: Option<u32>) -> Result<u32> {
    const MOST: u32 = 200;
    match limit.unwrap_or(50) {
        limit @ 1..=MOST => Ok(limit),
        other => Err(Error::InvalidInput(format!(
            "`limit` is 1 to {MOST}; got {other}"
        ))),
    }
}
