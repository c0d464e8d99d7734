use std::sync::Arc;

use chrono::Utc;
use serde::ser::{Serialize, Serializer};

use super::{Slug, TenantId, TenantRecord};
use crate::isolation::Strategy;
use crate::plan::{Feature, OnPlan};
use crate::sealing::MetadataKeys;

/// A tenant that was resolved **and** admitted: the only key to a connection.
///
/// There is no way to make one but through
/// [`Admission`](crate::admit::Admission). Cheap to clone. It shows what the
/// registry said when the tenant was admitted; as JSON it is its record.
#[derive(Debug, Clone)]
pub struct Tenant {
    record: Arc<TenantRecord>,
    /// None where the application declares no plans.
    plan: Option<OnPlan>,
    /// What opens the secrets in its metadata.
    keys: MetadataKeys,
}

/// What the registry said of them, and their plans.
impl PartialEq for Tenant {
    fn eq(&self, other: &Self) -> bool {
        self.record == other.record && self.plan == other.plan
    }
}

impl Eq for Tenant {}

impl Tenant {
    pub(crate) fn admitted(record: impl Into<Arc<TenantRecord>>) -> Self {
        Self {
            record: record.into(),
            plan: None,
            keys: MetadataKeys::default(),
        }
    }

    /// On a plan, where the application declares plans.
    pub(crate) fn on(mut self, plan: Option<OnPlan>) -> Self {
        self.plan = plan;
        self
    }

    /// With keys to the secrets in its metadata.
    pub(crate) fn with_keys(mut self, keys: &MetadataKeys) -> Self {
        self.keys = keys.clone();
        self
    }

    pub(crate) fn keys(&self) -> &MetadataKeys {
        &self.keys
    }

    /// Identity, never reused.
    #[must_use]
    pub fn id(&self) -> TenantId {
        self.record.id
    }

    /// Public name.
    #[must_use]
    pub fn slug(&self) -> &Slug {
        &self.record.slug
    }

    /// Name for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// The plan the tenant is on: the default one, if it was given none. Where the
    /// application declares no plans, the name that is stored.
    #[must_use]
    pub fn plan(&self) -> Option<&str> {
        let declared = self.plan.map(|plan| plan.definition.name);
        declared.or(self.record.plan.as_deref())
    }

    /// The plan itself, where the application declares plans.
    pub(crate) fn on_plan(&self) -> Option<OnPlan> {
        self.plan
    }

    /// How the tenant's data is kept apart; `None` without a database.
    #[must_use]
    pub fn strategy(&self) -> Option<Strategy> {
        self.record.strategy()
    }

    /// Whether the tenant has a feature now: by an override that holds, or else by
    /// its plan or what it was registered with.
    #[must_use]
    pub fn has(&self, feature: Feature) -> bool {
        let name = feature.name();
        let exception = self.record.overrides.get(name);
        match exception.filter(|exception| exception.holds_at(Utc::now())) {
            Some(exception) => exception.granted,
            None => {
                let by_plan = self
                    .plan
                    .is_some_and(|plan| plan.definition.features.contains(&feature));
                by_plan || self.record.features.contains(name)
            }
        }
    }

    /// All that the registry stores of the tenant.
    #[must_use]
    pub fn record(&self) -> &TenantRecord {
        &self.record
    }
}

impl Serialize for Tenant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.record.serialize(serializer)
    }
}
