use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::{Uuid, Version};

/// The identity of a tenant: a UUIDv7 ([RFC 9562]) that is never reused.
///
/// A nil, max or other-version UUID is refused, so no sentinel can ever mean
/// "all tenants" or "the default tenant".
///
/// [RFC 9562]: https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-7
///
/// ```
/// use tenancy_runtime::tenant::TenantId;
///
/// let id = TenantId::generate();
/// assert_eq!(id.to_string().parse::<TenantId>().unwrap(), id);
/// assert!("00000000-0000-0000-0000-000000000000".parse::<TenantId>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "Uuid", into = "Uuid")]
pub struct TenantId(Uuid);

/// Why a value is not a [`TenantId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a tenant id is a UUIDv7, as `TenantId::generate()` makes them; got `{0}`")]
pub struct InvalidTenantId(String);

impl TenantId {
    /// Makes a new id from the current time and randomness.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// The UUID itself.
    #[must_use]
    pub fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl TryFrom<Uuid> for TenantId {
    type Error = InvalidTenantId;

    fn try_from(uuid: Uuid) -> Result<Self, Self::Error> {
        match uuid.get_version() {
            Some(Version::SortRand) => Ok(Self(uuid)),
            _ => Err(InvalidTenantId(uuid.to_string())),
        }
    }
}

impl FromStr for TenantId {
    type Err = InvalidTenantId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uuid =
            Uuid::try_parse(text).map_err(|_| InvalidTenantId(text.escape_debug().to_string()))?;
        Self::try_from(uuid)
    }
}

impl From<TenantId> for Uuid {
    fn from(id: TenantId) -> Self {
        id.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentinels_and_other_versions_are_refused() {
        for uuid in [Uuid::nil(), Uuid::max(), Uuid::from_u128(7)] {
            assert!(TenantId::try_from(uuid).is_err(), "{uuid}");
        }
        for text in ["", "0", "acme", "'; RESET ALL; --"] {
            assert!(text.parse::<TenantId>().is_err(), "{text}");
        }
    }
}
