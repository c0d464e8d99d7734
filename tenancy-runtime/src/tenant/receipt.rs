use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Slug, TenantId};
use crate::isolation::Strategy;

/// What was removed when a tenant was destroyed: all that is left of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Receipt {
    /// Whose data it was.
    pub id: TenantId,
    /// The tenant's last slug, which is free again.
    #[serde(rename = "identifier")]
    pub slug: Slug,
    /// How the data was kept apart; `None` without a database.
    pub isolation_strategy: Option<Strategy>,
    /// The schema or database that is gone; `None` where tables are shared.
    pub dropped: Option<String>,
    /// How many rows each table had.
    pub rows: BTreeMap<String, u64>,
    /// How many secrets were kept for it.
    #[serde(default)]
    pub secrets: u64,
    /// When the last of it was gone.
    pub destroyed_at: DateTime<Utc>,
}
