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
mod entry;
mod extract;
mod inventory;
mod kept;
mod keys;
mod life;
mod logins;
pub(crate) mod migrations;
mod patience;
mod plan;
pub mod probe;
mod quotas;
mod register;
mod relations;
mod rights;
mod schemas;
mod secrets;
mod shared_rows;
mod standby;
mod stepwise;
mod tables;
pub mod verify;

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::db::Pool;
use crate::error::{Error, Result};
use crate::isolation::{Isolation, Strategy};
use crate::plan::{Catalog, Settings};
use crate::registry::{TenantCache, TenantFilter, TenantPage, TenantRegistry};
use crate::tenant::{Slug, TenantId, TenantRecord};

pub use database::TenantDatabases;
pub use migrations::Migration;
pub(crate) use patience::patiently;
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

/// Work in steps that goes on when its caller is dropped.
async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    tokio::spawn(work).await.map_err(Error::internal)?
}
