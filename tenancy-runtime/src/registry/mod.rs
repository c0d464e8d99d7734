//! Which tenants there are: from a slug to what is stored of the tenant.
//!
//! [`TenantRegistry`] is what the rest needs of a store. [`PostgresRegistry`]
//! keeps tenants beside their data, so that a tenant and its tables come into
//! being in one transaction; [`MemoryRegistry`] serves applications that have
//! no database.

mod cache;
mod locator;
mod memory;
mod migrations;
mod postgres;
mod search;

use async_trait::async_trait;

use crate::db::Transaction;
use crate::error::{Error, Result};
use crate::http::HostName;
use crate::tenant::{Receipt, Slug, TenantId, TenantRecord};

pub(crate) use cache::{CacheSettings, Shared, TenantCache, hear, listen};
pub(crate) use locator::LocatorRow;
pub use memory::MemoryRegistry;
pub(crate) use migrations::LOCK;
pub use postgres::PostgresRegistry;
pub(crate) use postgres::unprepared;
pub use search::{TenantFilter, TenantPage};

/// A store of tenants.
#[async_trait]
pub trait TenantRegistry: Send + Sync + 'static {
    /// Makes the store ready, once at start; several processes may do so at the
    /// same time. `app_role` is the role that looks tenants up.
    ///
    /// # Errors
    ///
    /// Those of the store.
    async fn prepare(&self, app_role: &str) -> Result<()> {
        let _ = app_role;
        Ok(())
    }

    /// Whether tenants are still there when the process has ended, and seen by
    /// others: management commands are processes of their own.
    fn is_lasting(&self) -> bool {
        true
    }

    /// Whether it keeps the list of places that are made before their tenants
    /// (`tenancy.standby`), and enters a tenant in the transaction that takes one
    /// off the list. Without, there are none.
    fn keeps_standby(&self) -> bool {
        false
    }

    /// Whether PostgreSQL notifies all processes of each change, by the trigger on
    /// `tenancy.tenants`. Without, what a process remembers lasts one second.
    fn notifies(&self) -> bool {
        false
    }

    /// Whether it keeps tenants' secrets beside the tenants (`tenancy.secrets`), and
    /// removes them with their tenant. Without, there are none.
    fn keeps_secrets(&self) -> bool {
        false
    }

    /// Whether it keeps the domains that tenants have of their own
    /// (`tenancy.domains`) beside its tenants. Without, there are none.
    fn keeps_domains(&self) -> bool {
        false
    }

    /// The tenant that has this domain and has proved it.
    ///
    /// # Errors
    ///
    /// Those of the store.
    async fn find_by_domain(&self, domain: &HostName) -> Result<Option<TenantRecord>> {
        let _ = domain;
        Ok(None)
    }

    /// The tenant of this name.
    ///
    /// # Errors
    ///
    /// Those of the store.
    async fn find(&self, slug: &Slug) -> Result<Option<TenantRecord>>;

    /// At most `limit` tenants in the order of their slugs, after `after`.
    ///
    /// # Errors
    ///
    /// Those of the store.
    async fn list(&self, after: Option<&Slug>, limit: u32) -> Result<Vec<TenantRecord>>;

    /// The tenants after `after` to which the filter applies, at most `limit` of them,
    /// in the order of their slugs.
    ///
    /// However many tenants there are and however few are found, what is looked at
    /// for one page is bounded; so a page may have fewer tenants than `limit`, or
    /// none, and still be followed by another.
    ///
    /// # Errors
    ///
    /// Those of the store.
    async fn search(
        &self,
        filter: &TenantFilter,
        after: Option<&Slug>,
        limit: u32,
    ) -> Result<TenantPage> {
        search::through_the_list(self, filter, after, limit).await
    }

    /// Stores a new tenant, of which there are then at most `max_tenants`.
    ///
    /// `transaction` is the one in which the tenant's tables are made, if it has
    /// any. A store in the same database writes through it, so that both come
    /// into being together or not at all; the same holds for the methods below.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] when the slug is taken
    /// or there are too many tenants, [`Error::PlaceTaken`] when another tenant
    /// has its schema or database.
    async fn insert(
        &self,
        tenant: &TenantRecord,
        max_tenants: Option<u32>,
        transaction: Option<&mut Transaction>,
    ) -> Result<()>;

    /// The tenant of this name, which nobody else changes until the transaction
    /// has ended.
    ///
    /// # Errors
    ///
    /// Those of the store.
    async fn lock(
        &self,
        slug: &Slug,
        transaction: Option<&mut Transaction>,
    ) -> Result<Option<TenantRecord>>;

    /// Stores a tenant, found by its id, as it is now.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] when its new slug is
    /// taken.
    async fn save(
        &self,
        tenant: &TenantRecord,
        transaction: Option<&mut Transaction>,
    ) -> Result<()>;

    /// Keeps a receipt of what is about to be removed, which is nobody's business
    /// before [`remove`](Self::remove). Of several for one tenant the first one's
    /// counts stay: whoever goes on after an interruption may find nothing left
    /// to count.
    ///
    /// # Errors
    ///
    /// Those of the store.
    async fn draft(&self, receipt: &Receipt, transaction: Option<&mut Transaction>) -> Result<()>;

    /// Puts a receipt in the place of a tenant whose data is gone; without one,
    /// as if the tenant had never been.
    ///
    /// # Errors
    ///
    /// Those of the store.
    async fn remove(
        &self,
        id: TenantId,
        receipt: Option<&Receipt>,
        transaction: Option<&mut Transaction>,
    ) -> Result<()>;

    /// The receipt of the last tenant of this name that was destroyed.
    ///
    /// # Errors
    ///
    /// Those of the store.
    async fn receipt(&self, slug: &Slug) -> Result<Option<Receipt>>;
}

/// The answer to a slug that is in use.
fn taken(slug: &Slug) -> Error {
    Error::Conflict(format!(
        "a tenant with the identifier `{slug}` exists already"
    ))
}

/// The answer to one tenant too many.
fn full(max_tenants: u32) -> Error {
    Error::Conflict(format!(
        "there are {max_tenants} tenants already, which is the most that TENANCY_MAX_TENANTS allows"
    ))
}
