use crate::tenant::{Locator, SchemaName, TenantId};

use super::rls;

/// What a connection does to every statement so that it stays with one tenant:
/// the schema it writes in place of the placeholder, and the settings that
/// must hold in the statement's transaction.
///
/// With no settings a statement needs no transaction of its own: the qualified
/// name is the whole scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    tenant_schema: String,
    shared_schema: String,
    settings: Vec<(&'static str, String)>,
}

impl Scope {
    /// The scope of a tenant whose data is at `locator`.
    ///
    /// `shared` is the schema of the tables that all tenants share.
    #[must_use]
    pub fn of(id: TenantId, locator: &Locator, shared: &SchemaName) -> Self {
        let settings = match locator {
            Locator::Shared(_) => vec![(rls::SETTING, id.to_string())],
            Locator::Schema(_) | Locator::Database(..) => Vec::new(),
        };
        Self {
            tenant_schema: locator.schema().quoted(),
            shared_schema: shared.quoted(),
            settings,
        }
    }

    /// What stands for the placeholders in statements of the owner's, which
    /// belong to no tenant.
    pub(crate) fn of_schemas(tenant: &SchemaName, shared: &SchemaName) -> Self {
        Self {
            tenant_schema: tenant.quoted(),
            shared_schema: shared.quoted(),
            settings: Vec::new(),
        }
    }

    /// No tenant's: the placeholders stay as they are and name no schema.
    pub(crate) fn outside() -> Self {
        Self {
            tenant_schema: "\"tenant\"".to_owned(),
            shared_schema: "\"shared\"".to_owned(),
            settings: Vec::new(),
        }
    }

    /// The shared tables of all tenants: for the system role, which row-level
    /// security does not hold.
    pub(crate) fn system(shared: &SchemaName) -> Self {
        Self {
            tenant_schema: shared.quoted(),
            shared_schema: shared.quoted(),
            settings: Vec::new(),
        }
    }

    /// Adds a setting that holds in every transaction of this scope.
    #[must_use]
    pub fn with_setting(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((name, value.into()));
        self
    }

    /// The schema, quoted, that stands for the placeholder `"tenant"`.
    #[must_use]
    pub fn tenant_schema(&self) -> &str {
        &self.tenant_schema
    }

    /// The schema, quoted, that stands for the placeholder `"shared"`.
    #[must_use]
    pub fn shared_schema(&self) -> &str {
        &self.shared_schema
    }

    /// The transaction-local settings, in order.
    #[must_use]
    pub fn settings(&self) -> &[(&'static str, String)] {
        &self.settings
    }
}
