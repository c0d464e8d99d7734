//! The life of a tenant, and the tables it lives in.
//!
//! A tenant comes into being in one transaction of the owner: its schema, its
//! tables with keys, policies and grants, and its entry in the registry. What
//! fails on the way, by an error, a crash or a lost client, leaves nothing
//! behind; of two processes with the same slug one gets it and the other a
//! conflict. [`Tables`] makes the tables, [`probe`] and [`verify`] check that
//! what is there is what we would make.

mod extract;
pub mod probe;
mod tables;
pub mod verify;

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::isolation::{Isolation, Strategy};
use crate::registry::TenantRegistry;
use crate::tenant::{Locator, NewTenant, Slug, TenantId, TenantRecord, TenantStatus};

pub use tables::Tables;

/// Registers tenants and moves them through their lives. Cheap to clone; an
/// extractor for handlers of the operator's own API.
///
/// It works for every tenant: put its routes behind a check of your own.
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
}

impl Provisioner {
    /// With a database (`data`), new tenants get their place as the isolation
    /// chooses; without, they are entries of the registry.
    #[must_use]
    pub fn new(registry: Arc<dyn TenantRegistry>, data: Option<(Isolation, Tables)>) -> Self {
        Self { registry, data }
    }

    /// Registers a tenant and makes its tables, all or nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] when the slug is taken, [`Error::CannotStart`] when
    /// the owner's login is not configured, and those of the database.
    pub async fn provision(&self, new: NewTenant) -> Result<TenantRecord> {
        let id = TenantId::generate();
        let Some((isolation, tables)) = &self.data else {
            let record = TenantRecord::new(id, new, None);
            self.registry.insert(&record, None).await?;
            return Ok(record);
        };
        let chosen = isolation.choose(new.slug.as_str(), new.plan.as_deref());
        let locator = match new.strategy.unwrap_or(chosen) {
            Strategy::Rls => Locator::Shared(tables.shared_schema().clone()),
            Strategy::Schema => Locator::dedicated_schema(id),
        };
        let mut transaction = tables.owner()?.begin().await?;
        let record = TenantRecord::new(id, new, Some(locator));
        // The entry first: its unique slug makes a second process wait here
        // until the first has finished, and then refuses it.
        if let Err(error) = self.registry.insert(&record, Some(&mut transaction)).await {
            transaction.rollback().await?;
            return Err(error);
        }
        if let Some(Locator::Schema(schema)) = &record.locator {
            tables.create_dedicated(&mut transaction, schema).await?;
        }
        transaction.commit().await?;
        tracing::info!(tenant = %record.slug, strategy = ?record.strategy(), "provisioned");
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
        if let Some(record) = self.registry.find(&slug).await? {
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

    /// Keeps a tenant out; its data stays.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such tenant.
    pub async fn suspend(&self, slug: &Slug) -> Result<TenantRecord> {
        self.registry
            .set_status(slug, TenantStatus::Suspended)
            .await
    }

    /// Lets a suspended tenant in again.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such tenant.
    pub async fn activate(&self, slug: &Slug) -> Result<TenantRecord> {
        self.registry.set_status(slug, TenantStatus::Active).await
    }

    /// At most `limit` tenants in the order of their slugs, after `after`.
    ///
    /// # Errors
    ///
    /// Those of the registry.
    pub async fn list(&self, after: Option<&Slug>, limit: u32) -> Result<Vec<TenantRecord>> {
        self.registry.list(after, limit).await
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
