use std::collections::BTreeSet;

use chrono::{DateTime, SubsecRound as _, Utc};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::{InvalidSlug, Locator, Metadata, Overrides, Slug, TenantId, TenantStatus};
use crate::error::Error;
use crate::isolation::Strategy;
use crate::problem::shown;

/// What the registry stores of a tenant. Having one proves nothing: only an
/// admitted tenant opens a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TenantRecord {
    /// Identity, never reused.
    pub id: TenantId,
    /// Public name.
    pub slug: Slug,
    /// Name for people.
    pub name: String,
    /// Stage of life.
    pub status: TenantStatus,
    /// What a deleted tenant becomes when it is restored.
    pub restores_to: Option<TenantStatus>,
    /// Where the data lives; `None` in an application without a database.
    pub locator: Option<Locator>,
    /// The plan the tenant is on, if any.
    pub plan: Option<String>,
    /// The features the tenant has besides those of its plan.
    pub features: BTreeSet<String>,
    /// The features it was granted or refused since, whatever its plan says.
    pub overrides: Overrides,
    /// What the application keeps with the tenant, as a JSON object whose secrets are
    /// sealed: see [`TenantConfig`](crate::http::TenantConfig). It is in the answers of
    /// [operators' routes](crate::admin), as it may be seen, and no others.
    pub metadata: Metadata,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

impl TenantRecord {
    /// The record of a tenant that is registered now and active.
    #[must_use]
    pub fn new(id: TenantId, new: NewTenant, locator: Option<Locator>) -> Self {
        Self {
            id,
            slug: new.slug,
            name: new.name,
            status: TenantStatus::Active,
            restores_to: None,
            locator,
            plan: new.plan,
            features: new.features,
            overrides: Overrides::new(),
            metadata: new.metadata,
            // As exactly as PostgreSQL keeps it.
            created_at: Utc::now().trunc_subsecs(6),
        }
    }

    /// The strategy that isolates this tenant; `None` without a database.
    #[must_use]
    pub fn strategy(&self) -> Option<Strategy> {
        self.locator.as_ref().map(Locator::strategy)
    }
}

/// The JSON of the management answers. Where the data lives stays inside, and so
/// does the metadata.
impl Serialize for TenantRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_struct("TenantRecord", 9)?;
        record.serialize_field("id", &self.id)?;
        record.serialize_field("identifier", &self.slug)?;
        record.serialize_field("name", &self.name)?;
        record.serialize_field("status", &self.status)?;
        record.serialize_field("isolation_strategy", &self.strategy())?;
        record.serialize_field("plan", &self.plan)?;
        record.serialize_field("features", &self.features)?;
        record.serialize_field("overrides", &self.overrides)?;
        record.serialize_field("created_at", &self.created_at)?;
        record.end()
    }
}

/// A tenant to be registered.
///
/// It reads JSON: `{"identifier": "acme-corp", "name": "Acme Corp", "plan":
/// "enterprise", "features": ["exports"]}`, of which only the identifier (the
/// slug) must be there.
///
/// ```
/// use tenancy_runtime::tenant::NewTenant;
///
/// let new = NewTenant::new("acme-corp")?.name("Acme Corp").plan("enterprise");
/// assert_eq!(new.slug.as_str(), "acme-corp");
/// # Ok::<(), tenancy_runtime::tenant::InvalidSlug>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Sent")]
#[non_exhaustive]
pub struct NewTenant {
    /// Public name.
    pub slug: Slug,
    /// Name for people; the slug unless set.
    pub name: String,
    /// The plan, if any.
    pub plan: Option<String>,
    /// The features the tenant starts with.
    pub features: BTreeSet<String>,
    /// What the application keeps with the tenant: a JSON object, empty unless set.
    pub metadata: Metadata,
    /// The strategy for this tenant; `None` leaves it to the application's isolation.
    pub strategy: Option<Strategy>,
}

impl NewTenant {
    /// Starts from a slug.
    ///
    /// # Errors
    ///
    /// [`InvalidSlug`] if `slug` is none.
    pub fn new(slug: &str) -> Result<Self, InvalidSlug> {
        Ok(slug.parse::<Slug>()?.into())
    }

    /// Checks the names that are not a slug.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let plan = self.plan.iter().map(|plan| ("plan", plan));
        let features = self.features.iter().map(|feature| ("feature", feature));
        let mut all = [("name", &self.name)]
            .into_iter()
            .chain(plan)
            .chain(features);
        all.try_for_each(|(what, text)| check_name(what, text))
    }

    /// Sets the name for people.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the plan.
    #[must_use]
    pub fn plan(mut self, plan: impl Into<String>) -> Self {
        self.plan = Some(plan.into());
        self
    }

    /// Adds a feature.
    #[must_use]
    pub fn feature(mut self, feature: impl Into<String>) -> Self {
        self.features.insert(feature.into());
        self
    }

    /// Sets what the application keeps with the tenant, a JSON object.
    #[must_use]
    pub fn metadata(mut self, metadata: impl Into<Value>) -> Self {
        self.metadata = Metadata::from(metadata.into());
        self
    }

    /// Overrides the application's choice of strategy for this tenant.
    #[must_use]
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = Some(strategy);
        self
    }
}

/// Refuses a name of a tenant's that is none: it has 1 to 200 characters, of which
/// none is a control character and not all are blank.
pub(crate) fn check_name(what: &str, text: &str) -> Result<(), Error> {
    const LONGEST: usize = 200;
    let good = !text.trim().is_empty()
        && text.chars().count() <= LONGEST
        && !text.chars().any(char::is_control);
    if good {
        return Ok(());
    }
    Err(Error::InvalidInput(format!(
        "a tenant's {what} has 1 to {LONGEST} characters, none of them a control character; \
         got `{}`",
        shown(text)
    )))
}

impl From<Slug> for NewTenant {
    fn from(slug: Slug) -> Self {
        Self {
            name: slug.to_string(),
            slug,
            plan: None,
            features: BTreeSet::new(),
            metadata: Metadata::default(),
            strategy: None,
        }
    }
}

/// What management requests send.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    #[serde(alias = "slug")]
    identifier: Slug,
    name: Option<String>,
    plan: Option<String>,
    #[serde(default)]
    features: BTreeSet<String>,
    #[serde(default)]
    metadata: Metadata,
}

impl From<Sent> for NewTenant {
    fn from(sent: Sent) -> Self {
        let mut new = Self::from(sent.identifier);
        new.name = sent.name.unwrap_or(new.name);
        new.plan = sent.plan;
        new.features = sent.features;
        new.metadata = sent.metadata;
        new
    }
}
