use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a tenant stands in its life. Only [`Active`](Self::Active) is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TenantStatus {
    /// Known, but its place and tables are not all there yet.
    Provisioning,
    /// Serves requests.
    Active,
    /// Kept out by an operator; its data stays.
    Suspended,
    /// Kept out for good unless restored; its data and its slug stay.
    Deleted,
    /// Its data is being removed; there is no way back.
    Destroying,
}

/// A stored status that no version of this crate writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a tenant's status is `provisioning`, `active`, `suspended`, `deleted` or `destroying`; \
     got `{0}`"
)]
pub struct InvalidStatus(String);

impl TenantStatus {
    /// The word stored in the registry.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
            Self::Destroying => "destroying",
        }
    }
}

impl FromStr for TenantStatus {
    type Err = InvalidStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "provisioning" => Ok(Self::Provisioning),
            "active" => Ok(Self::Active),
            "suspended" => Ok(Self::Suspended),
            "deleted" => Ok(Self::Deleted),
            "destroying" => Ok(Self::Destroying),
            other => Err(InvalidStatus(other.escape_debug().to_string())),
        }
    }
}

impl fmt::Display for TenantStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
