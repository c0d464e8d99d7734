use std::sync::Arc;

use serde::ser::{Serialize, Serializer};

use super::{Slug, TenantId, TenantRecord};
use crate::isolation::Strategy;
use crate::plan::Feature;

/// A tenant that was resolved **and** admitted: the only key to a connection.
///
/// There is no way to make one but through
/// [`Admission`](crate::admit::Admission). Cheap to clone. It shows what the
/// registry said when the tenant was admitted; as JSON it is its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant(Arc<TenantRecord>);

impl Tenant {
    pub(crate) fn admitted(record: impl Into<Arc<TenantRecord>>) -> Self {
        Self(record.into())
    }

    /// Identity, never reused.
    #[must_use]
    pub fn id(&self) -> TenantId {
        self.0.id
    }

    /// Public name.
    #[must_use]
    pub fn slug(&self) -> &Slug {
        &self.0.slug
    }

    /// Name for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The plan the tenant is on, if any.
    #[must_use]
    pub fn plan(&self) -> Option<&str> {
        self.0.plan.as_deref()
    }

    /// How the tenant's data is kept apart; `None` without a database.
    #[must_use]
    pub fn strategy(&self) -> Option<Strategy> {
        self.0.strategy()
    }

    /// Whether the tenant has a feature.
    #[must_use]
    pub fn has(&self, feature: Feature) -> bool {
        self.0.features.contains(feature.name())
    }

    /// All that the registry stores of the tenant.
    #[must_use]
    pub fn record(&self) -> &TenantRecord {
        &self.0
    }
}

impl Serialize for Tenant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
