//! The beginning of a tenant: its entry, and the place that its data gets.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::{Provisioner, Tables};
use crate::db::TenantLogins;
use crate::error::{Error, Result};
use crate::isolation::Strategy;
use crate::tenant::{Locator, NewTenant, TenantId, TenantRecord, TenantStatus};

impl Provisioner {
    /// Registers a tenant and makes its tables, all or nothing.
    ///
    /// Where the tenant gets a database of its own, the work goes on when the
    /// caller is gone, and one that a crash has left half-made is finished by
    /// whoever wants its slug next, and gets a conflict like any other who comes
    /// second; [`ensure`](Self::ensure) returns it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidInput`] for a name, plan or feature that is none or is not
    /// declared and for metadata that is none of the application's settings,
    /// [`Error::Conflict`] when the slug is taken, [`Error::PlaceTaken`] when what
    /// would be the tenant's schema or database is there already and somebody
    /// else's, [`Error::Unavailable`] when the owner's login is not configured or
    /// a server is away, and those of the database.
    pub async fn provision(&self, new: NewTenant) -> Result<TenantRecord> {
        self.register(new, None).await
    }

    /// In a box: what lies under it is deeper than the compiler likes to look, and would
    /// be part of every caller.
    pub(super) fn register(
        &self,
        new: NewTenant,
        logins: Option<TenantLogins>,
    ) -> BoxFuture<'_, Result<TenantRecord>> {
        async move {
            new.check()?;
            if let Some(plans) = &self.plans {
                plans.check_new(&new)?;
            }
            let id = TenantId::generate();
            // Refused before a place is taken.
            self.settings.sealed(id, &new.metadata, None)?;
            let Some((isolation, tables)) = &self.data else {
                if logins.is_some() {
                    return Err(Error::InvalidInput(
                        "this application has no database for a tenant to log in to".to_owned(),
                    ));
                }
                let record = self.entry(id, new, None)?;
                self.registry
                    .insert(&record, self.max_tenants, None)
                    .await?;
                self.changed(&record.slug).await;
                return Ok(record);
            };
            let default = self.plans.as_ref().map(|plans| plans.default_plan().name);
            let chosen = isolation.choose(new.slug.as_str(), new.plan.as_deref().or(default));
            let strategy = new.strategy.unwrap_or(chosen);
            let record = match logins {
                Some(logins) => self.provision_by(tables, id, new, logins).await?,
                None => match self.provision_from_standby(tables, &new, strategy).await? {
                    Some(record) => record,
                    None => self.provision_anew(tables, id, new, strategy).await?,
                },
            };
            tracing::info!(tenant = %record.slug, strategy = ?record.strategy(), "provisioned");
            Ok(record)
        }
        .boxed()
    }

    /// Called by whoever has committed the tenant, and by nobody who has waited for
    /// that: it is there from now on, and begins what it begins with.
    pub(super) async fn arrived(&self, record: &TenantRecord) {
        // First, as work is done only for tenants that are known.
        self.changed(&record.slug).await;
        if let Some(begin) = &self.onboarding {
            begin(record);
        }
    }

    /// Makes a tenant with a place of its own, or in the shared tables.
    async fn provision_anew(
        &self,
        tables: &Tables,
        id: TenantId,
        new: NewTenant,
        strategy: Strategy,
    ) -> Result<TenantRecord> {
        let locator = match strategy {
            Strategy::Rls => Locator::Shared(tables.shared_schema().clone()),
            Strategy::Schema => Locator::dedicated_schema(id),
            Strategy::Database => tables.databases()?.place_for(id)?,
        };
        let record = self.entry(id, new, Some(locator))?;
        match strategy {
            Strategy::Database => self.provision_database(record, None).await,
            Strategy::Rls | Strategy::Schema => self.provision_at_once(record, tables).await,
        }
    }

    /// Entry, schema and tables in one transaction.
    async fn provision_at_once(
        &self,
        record: TenantRecord,
        tables: &Tables,
    ) -> Result<TenantRecord> {
        let mut transaction = tables.owner()?.begin().await?;
        // The entry first: its unique slug makes a second process wait here
        // until the first has finished, and then refuses it.
        if let Err(error) = self.enter(&record, &mut transaction).await {
            transaction.rollback().await?;
            return Err(error);
        }
        match &record.locator {
            Some(Locator::Shared(_)) => tables.enrol(&mut transaction, record.id).await?,
            Some(Locator::Schema(schema)) => {
                tables.create_dedicated(&mut transaction, schema).await?;
            }
            Some(Locator::Database(..)) | None => {}
        }
        self.limit_new(&mut transaction, &record).await?;
        transaction.commit().await?;
        self.arrived(&record).await;
        Ok(record)
    }

    /// The tenant of this slug, provisioned now if there is none: safe to
    /// repeat, at the same time as well.
    ///
    /// # Errors
    ///
    /// Those of [`provision`](Self::provision) but the conflict.
    pub async fn ensure(&self, new: NewTenant) -> Result<TenantRecord> {
        let slug = new.slug.clone();
        let there = self.registry.find(&slug).await?;
        if let Some(record) = there.filter(|there| there.status != TenantStatus::Provisioning) {
            return Ok(record);
        }
        match self.provision(new).await {
            Err(Error::Conflict(reason)) => {
                let record = self.registry.find(&slug).await?;
                record.ok_or(Error::Conflict(reason))
            }
            outcome => outcome,
        }
    }
}
