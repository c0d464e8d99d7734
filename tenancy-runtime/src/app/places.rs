use super::tenancy::Tenancy;
use crate::error::Result;
use crate::isolation::Strategy;
use crate::problem::Problem;
use crate::tenant::{DatabaseAddress, Locator, SchemaName, Slug, TenantStatus};

/// Where tenants' data is.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Places {
    /// Whether tenants' rows lie in the shared tables.
    pub(super) shared: bool,
    /// The tenants with a schema of their own in the application's database.
    pub(super) own: Vec<(Slug, SchemaName)>,
    pub(super) databases: Vec<OwnDatabase>,
}

impl Places {
    pub(super) fn schemas(&self) -> Vec<SchemaName> {
        self.own.iter().map(|(_, schema)| schema.clone()).collect()
    }
}

/// A tenant's own database.
#[derive(PartialEq, Eq)]
pub(super) struct OwnDatabase {
    pub(super) slug: Slug,
    pub(super) address: DatabaseAddress,
    pub(super) schema: SchemaName,
}

impl Tenancy {
    /// Where there are tenants, those that are on their way in or out aside; or
    /// where the named one is.
    pub(super) async fn places(&self, only: Option<&Slug>) -> Result<Places> {
        let tenants = match only {
            Some(slug) => vec![self.registry.find(slug).await?.ok_or_else(|| {
                let about = format!("the tenant `{slug}`");
                Problem::new(about, "is not registered", "list all with `tenants list`")
            })?],
            None => self.provisioner.all().await?,
        };
        let mut places = Places::default();
        if let Some((_, _, isolation, _)) = &self.data
            && only.is_none()
        {
            places.shared = isolation.strategies().contains(&Strategy::Rls);
        }
        for tenant in tenants {
            if let TenantStatus::Provisioning | TenantStatus::Destroying = tenant.status {
                continue;
            }
            match tenant.locator {
                Some(Locator::Schema(schema)) => places.own.push((tenant.slug, schema)),
                // Also when new tenants are kept apart in another way by now.
                Some(Locator::Shared(_)) => places.shared = true,
                Some(Locator::Database(address, schema)) => places.databases.push(OwnDatabase {
                    slug: tenant.slug,
                    address,
                    schema,
                }),
                None => {}
            }
        }
        Ok(places)
    }
}
