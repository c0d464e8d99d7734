//! Which tenants there are: from a slug to what is stored of the tenant.
//!
//! [`TenantRegistry`] is what the rest needs of a store. [`PostgresRegistry`]
//! keeps tenants beside their data, so that a tenant and its tables come into
//! being in one transaction; [`MemoryRegistry`] serves applications that have
//! no database.

mod memory;
mod migrations;
mod postgres;

use async_trait::async_trait;

use crate::db::Transaction;
use crate::error::Result;
use crate::tenant::{Slug, TenantRecord, TenantStatus};

pub use memory::MemoryRegistry;
pub use postgres::PostgresRegistry;

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

    /// Stores a new tenant.
    ///
    /// `transaction` is the one in which the tenant's tables are made, if it has
    /// any. A store in the same database writes through it, so that both come
    /// into being together or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`](crate::error::Error::Conflict) when the slug is taken.
    async fn insert(
        &self,
        tenant: &TenantRecord,
        transaction: Option<&mut Transaction>,
    ) -> Result<()>;

    /// Moves a tenant to another stage of its life, and returns its record.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::error::Error::NotFound) when there is none of
    /// this name.
    async fn set_status(&self, slug: &Slug, status: TenantStatus) -> Result<TenantRecord>;
}

/// The answer to a slug that is in use.
fn taken(slug: &Slug) -> crate::error::Error {
    crate::error::Error::Conflict(format!(
        "a tenant with the identifier `{slug}` exists already"
    ))
}
