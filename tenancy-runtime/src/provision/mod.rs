//! The life of a tenant, and the tables it lives in.
//!
//! A tenant comes into being in one transaction of the owner: its schema, its
//! tables with keys, policies and grants, and its entry in the registry. What
//! fails on the way, by an error, a crash or a lost client, leaves nothing
//! behind; of two processes with the same slug one gets it and the other a
//! conflict.
//!
//! A database cannot be made or dropped in a transaction. There the entry comes
//! first, as `provisioning`, and is locked by whoever makes the rest; to destroy,
//! it stays until last, as `destroying`. So a crash leaves an entry that says
//! what was going on: the next start, or the next call, goes on from there.
//!
//! Schemas and databases may be made before their tenants come
//! ([`Provisioner::standby`]).
//!
//! [`Tables`] makes the tables, [`Migration`]s those that the application makes
//! itself, [`probe`] and [`verify`] check that what is there is what we would
//! make.

mod database;
mod definers;
mod destroy;
mod extract;
mod inventory;
mod kept;
mod keys;
mod life;
mod logins;
pub(crate) mod migrations;
mod plan;
pub mod probe;
mod quotas;
mod relations;
mod rights;
mod schemas;
mod secrets;
mod shared_rows;
mod standby;
mod tables;
pub mod verify;

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

use crate::db::{Pool, TenantLogins, Transaction};
use crate::error::{Error, Result};
use crate::isolation::{Isolation, Strategy};
use crate::plan::{Catalog, Settings};
use crate::registry::{TenantCache, TenantFilter, TenantPage, TenantRegistry};
use crate::tenant::{Locator, NewTenant, Slug, TenantId, TenantRecord, TenantStatus};

pub use database::TenantDatabases;
pub use migrations::Migration;
pub(crate) use relations::Exemption;
use standby::Standby;
pub use tables::Tables;

/// What begins the application's work for a tenant that has just been registered.
pub(crate) type Onboarding = Arc<dyn Fn(&TenantRecord) + Send + Sync>;

/// Registers tenants and moves them through their lives. Cheap to clone; an
/// extractor on routes with `tenant = "none"`: it works for every tenant, so put
/// them behind a check of your own.
///
/// ```
/// use std::sync::Arc;
/// use tenancy_runtime::provision::Provisioner;
/// use tenancy_runtime::registry::MemoryRegistry;
/// use tenancy_runtime::tenant::{NewTenant, TenantStatus};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> tenancy_runtime::error::Result<()> {
/// let provisioner = Provisioner::new(Arc::new(MemoryRegistry::new()), None);
/// let acme = provisioner.provision(NewTenant::new("acme-corp")?).await?;
/// assert!(provisioner.provision(NewTenant::new("acme-corp")?).await.is_err());
/// let suspended = provisioner.suspend(&acme.slug).await?;
/// assert_eq!(suspended.status, TenantStatus::Suspended);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Provisioner {
    registry: Arc<dyn TenantRegistry>,
    data: Option<(Isolation, Tables)>,
    max_tenants: Option<u32>,
    standby: Standby,
    plans: Option<Arc<Catalog>>,
    settings: Settings,
    onboarding: Option<Onboarding>,
    /// What this process remembers of tenants.
    remembered: Option<TenantCache>,
    /// The one whose life it changes, where it does so for no other.
    only: Option<TenantId>,
    /// Held while a tenant changes in a registry that cannot lock it.
    alone: Arc<Mutex<()>>,
}

impl Provisioner {
    /// With a database (`data`), new tenants get their place as the isolation
    /// chooses; without, they are entries of the registry.
    #[must_use]
    pub fn new(registry: Arc<dyn TenantRegistry>, data: Option<(Isolation, Tables)>) -> Self {
        Self {
            registry,
            data,
            max_tenants: None,
            standby: Standby::default(),
            plans: None,
            settings: Settings::any(),
            onboarding: None,
            remembered: None,
            only: None,
            alone: Arc::default(),
        }
    }

    /// Registers no more than `max_tenants`; those that are soft-deleted count
    /// until they are destroyed.
    #[must_use]
    pub fn max_tenants(mut self, max_tenants: Option<u32>) -> Self {
        self.max_tenants = max_tenants;
        self
    }

    /// Knows the plans and features that tenants may have.
    #[must_use]
    pub(crate) fn plans(mut self, plans: Option<Arc<Catalog>>) -> Self {
        self.plans = plans;
        self
    }

    /// Knows what the metadata of tenants is.
    #[must_use]
    pub(crate) fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Calls `begin` with each tenant that is registered.
    #[must_use]
    pub(crate) fn onboarding(mut self, begin: Option<Onboarding>) -> Self {
        self.onboarding = begin;
        self
    }

    /// Has this process forget at once what it remembers of a tenant that changes.
    #[must_use]
    pub(crate) fn remembered(mut self, tenants: TenantCache) -> Self {
        self.remembered = Some(tenants);
        self
    }

    /// The same for one tenant that is there: whoever else has its name by then, after
    /// it was destroyed, is not found.
    #[must_use]
    pub(crate) fn only(&self, id: TenantId) -> Self {
        Self {
            only: Some(id),
            ..self.clone()
        }
    }

    /// Whether it works for this tenant.
    fn is_for(&self, id: TenantId) -> bool {
        self.only.is_none_or(|only| only == id)
    }

    /// The tenant has changed, or one of its name.
    async fn changed(&self, slug: &Slug) {
        if let Some(tenants) = &self.remembered {
            tenants.changed(slug).await;
        }
    }

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
    fn register(
        &self,
        new: NewTenant,
        logins: Option<TenantLogins>,
    ) -> BoxFuture<'_, Result<TenantRecord>> {
        self.register_anew(new, logins).boxed()
    }

    async fn register_anew(
        &self,
        new: NewTenant,
        logins: Option<TenantLogins>,
    ) -> Result<TenantRecord> {
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

    /// Called by whoever has committed the tenant, and by nobody who has waited for
    /// that: it is there from now on, and begins what it begins with.
    async fn arrived(&self, record: &TenantRecord) {
        // First, as work is done only for tenants that are known.
        self.changed(&record.slug).await;
        if let Some(begin) = &self.onboarding {
            begin(record);
        }
    }

    /// The entry of a new tenant, whose metadata is sealed for it and for no other.
    fn entry(
        &self,
        id: TenantId,
        new: NewTenant,
        locator: Option<Locator>,
    ) -> Result<TenantRecord> {
        let metadata = self.settings.sealed(id, &new.metadata, None)?;
        let new = NewTenant { metadata, ..new };
        Ok(TenantRecord::new(id, new, locator))
    }

    /// Stores the entry of a new tenant, together with what its metadata needs.
    async fn enter(&self, record: &TenantRecord, transaction: &mut Transaction) -> Result<()> {
        self.list_key(record, transaction).await?;
        self.registry
            .insert(record, self.max_tenants, Some(transaction))
            .await
    }

    /// The same in a transaction of its own, with the logins that are the tenant's own.
    async fn enter_at_once(
        &self,
        record: &TenantRecord,
        logins: Option<&TenantLogins>,
    ) -> Result<()> {
        let Some(mut transaction) = self.transaction().await? else {
            return Err(Error::internal("only a database is made step by step"));
        };
        let entered = async {
            self.enter(record, &mut transaction).await?;
            match logins {
                Some(logins) => self.keep_logins(record.id, logins, &mut transaction).await,
                None => Ok(()),
            }
        };
        match entered.await {
            Ok(()) => transaction.commit().await,
            Err(error) => {
                transaction.rollback().await?;
                Err(error)
            }
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

    /// The entry, then the database with its tables; from the first step on it is
    /// nobody's to interrupt.
    async fn provision_database(
        &self,
        record: TenantRecord,
        logins: Option<TenantLogins>,
    ) -> Result<TenantRecord> {
        let this = self.clone();
        detached(async move {
            let entry = provisioning(&record);
            match this.enter_at_once(&entry, logins.as_ref()).await {
                Ok(()) => this.finish_or_undo(&record).await,
                Err(error @ Error::Conflict(_)) => {
                    let there = this.registry.find(&record.slug).await?;
                    let half_made =
                        |there: &TenantRecord| there.status == TenantStatus::Provisioning;
                    // It is finished for whom it was begun, not for this caller.
                    if let Some(there) = there.filter(half_made) {
                        this.finish(&there).await?;
                    }
                    Err(error)
                }
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Finishes a tenant whose entry was made just now; if that fails, nothing of
    /// it stays.
    async fn finish_or_undo(&self, record: &TenantRecord) -> Result<TenantRecord> {
        let finished = self.finish(record).await;
        if let Err(cause) = &finished
            && let Err(error) = self.undo(record).await
        {
            tracing::error!(
                tenant = %record.slug, %cause, %error,
                "half-made, and could not be undone: the next start goes on with it"
            );
        }
        finished
    }

    /// Makes what a tenant that is `provisioning` lacks, and lets it in; or waits for
    /// whoever does so already.
    async fn finish(&self, entry: &TenantRecord) -> Result<TenantRecord> {
        let Some((_, tables)) = &self.data else {
            return Err(Error::internal("a tenant without a place is not half-made"));
        };
        let tables = &tables.of(entry).await?;
        let mut transaction = tables.owner()?.begin().await?;
        let locked = self
            .registry
            .lock(&entry.slug, Some(&mut transaction))
            .await?;
        let Some(mut record) = locked.filter(|locked| locked.id == entry.id) else {
            transaction.rollback().await?;
            return Err(Error::Conflict(format!(
                "the tenant `{}` could not be provisioned by another process; try again",
                entry.slug
            )));
        };
        let Some(Locator::Database(address, schema)) = record.locator.clone() else {
            return Err(Error::internal("only a database is made step by step"));
        };
        if record.status != TenantStatus::Provisioning {
            // Somebody else has finished it while we waited for the lock, and has
            // begun its onboarding.
            transaction.commit().await?;
            self.changed(&record.slug).await;
            return Ok(record);
        }
        tables
            .make_database(&mut transaction, &address, &schema)
            .await?;
        if address.own_logins().is_some() {
            // The deployment's roles were proved at its start, and these never.
            tables.databases()?.prove(&address, &schema).await?;
        }
        self.limit_new(&mut transaction, &record).await?;
        record.provisioned()?;
        self.registry.save(&record, Some(&mut transaction)).await?;
        transaction.commit().await?;
        self.arrived(&record).await;
        Ok(record)
    }

    /// Leaves nothing of a tenant that could not be made, unless somebody else has
    /// finished it.
    async fn undo(&self, entry: &TenantRecord) -> Result<()> {
        let (Some((_, tables)), Some(Locator::Database(address, _))) = (&self.data, &entry.locator)
        else {
            return Err(Error::internal("only a database is made step by step"));
        };
        let tables = &tables.at(address).await?;
        let mut transaction = tables.owner()?.begin().await?;
        let locked = self
            .registry
            .lock(&entry.slug, Some(&mut transaction))
            .await?;
        let ours = |locked: &TenantRecord| {
            locked.id == entry.id && locked.status == TenantStatus::Provisioning
        };
        if locked.as_ref().is_some_and(ours) {
            let dropped = tables.databases()?.drop(address, tables.app_role()).await;
            // One of another role's is not ours to drop, nor anything to go on with.
            match dropped {
                Ok(()) | Err(Error::PlaceTaken(_)) => {}
                Err(error) => return Err(error),
            }
            self.registry
                .remove(entry.id, None, Some(&mut transaction))
                .await?;
        }
        transaction.commit().await?;
        self.changed(&entry.slug).await;
        Ok(())
    }

    /// Goes on with tenants that a crash has left half-made or half-destroyed.
    /// What cannot be finished is logged and stays as it is.
    pub(crate) async fn resume(&self) -> Result<()> {
        for tenant in self.all().await? {
            let outcome = match tenant.status {
                TenantStatus::Provisioning => self.finish(&tenant).await.map(drop),
                // That one, and no other that has its name by now.
                TenantStatus::Destroying => self.erase(tenant.clone()).await.map(drop),
                _ => continue,
            };
            match outcome {
                Ok(()) => tracing::info!(
                    tenant = %tenant.slug, was = %tenant.status, "finished after an interruption"
                ),
                Err(error) => tracing::error!(
                    tenant = %tenant.slug, status = %tenant.status, %error, "still half-way"
                ),
            }
        }
        Ok(())
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

    /// At most `limit` tenants in the order of their slugs, after `after`.
    ///
    /// # Errors
    ///
    /// Those of the registry.
    pub async fn list(&self, after: Option<&Slug>, limit: u32) -> Result<Vec<TenantRecord>> {
        self.registry.list(after, limit).await
    }

    /// The tenant of this slug, as it is stored now.
    ///
    /// # Errors
    ///
    /// Those of the registry.
    pub async fn find(&self, slug: &Slug) -> Result<Option<TenantRecord>> {
        self.registry.find(slug).await
    }

    /// At most `limit` tenants to which `filter` applies, in the order of their slugs,
    /// after `after`: see [`TenantRegistry::search`].
    ///
    /// # Errors
    ///
    /// Those of the registry.
    pub async fn search(
        &self,
        filter: &TenantFilter,
        after: Option<&Slug>,
        limit: u32,
    ) -> Result<TenantPage> {
        self.registry.search(filter, after, limit).await
    }

    /// Whether tenants can be changed here: with a database that is the owner's.
    pub(crate) fn can_change(&self) -> bool {
        let data = self.data.as_ref();
        data.is_none_or(|(_, tables)| tables.can_make())
    }

    /// The owner's pool, where there is a database and its login.
    pub(crate) fn owner(&self) -> Option<Pool> {
        let (_, tables) = self.data.as_ref()?;
        tables.owner().ok().cloned()
    }

    /// How tenants may be kept apart here.
    pub(crate) fn strategies(&self) -> Vec<Strategy> {
        let data = self.data.as_ref();
        data.map(|(isolation, _)| isolation.strategies())
            .unwrap_or_default()
    }

    /// The name of the plan that a tenant is on.
    pub(crate) fn plan_of(&self, tenant: &TenantRecord) -> Result<Option<String>> {
        match &self.plans {
            Some(plans) => Ok(Some(plans.plan_of(tenant)?.definition.name.to_owned())),
            None => Ok(tenant.plan.clone()),
        }
    }

    /// The declared plans, if there are any.
    pub(crate) fn catalog(&self) -> Option<&Catalog> {
        self.plans.as_deref()
    }

    /// Every tenant.
    pub(crate) async fn all(&self) -> Result<Vec<TenantRecord>> {
        const PAGE: u32 = 1_000;
        let mut all: Vec<TenantRecord> = Vec::new();
        loop {
            let after = all.last().map(|tenant| tenant.slug.clone());
            let page = self.registry.list(after.as_ref(), PAGE).await?;
            let full = page.len() == PAGE as usize;
            all.extend(page);
            if !full {
                return Ok(all);
            }
        }
    }
}

impl std::fmt::Debug for Provisioner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provisioner").finish_non_exhaustive()
    }
}

/// The entry of a tenant whose database is yet to be made.
fn provisioning(record: &TenantRecord) -> TenantRecord {
    TenantRecord {
        status: TenantStatus::Provisioning,
        ..record.clone()
    }
}

/// Work in steps that goes on when its caller is dropped.
async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    tokio::spawn(work).await.map_err(Error::internal)?
}
