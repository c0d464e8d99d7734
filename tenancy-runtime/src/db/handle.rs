use super::conn::TenantConn;
use super::pool::Pool;
use crate::error::{Error, Result};
use crate::isolation::Scope;
use crate::tenant::{SchemaName, Tenant};

/// The application role's pool, from which admitted tenants get their handles.
#[derive(Debug, Clone)]
pub struct TenantPool {
    pool: Pool,
    shared: SchemaName,
}

impl TenantPool {
    /// A pool of the application role, and the schema of the shared tables.
    #[must_use]
    pub fn new(pool: Pool, shared: SchemaName) -> Self {
        Self { pool, shared }
    }

    /// The handle of one tenant.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] if the tenant was registered without a place for its
    /// data, by an application that had no database then.
    pub fn db(&self, tenant: &Tenant) -> Result<TenantDb> {
        let locator =
            tenant.record().locator.as_ref().ok_or_else(|| {
                Error::internal(format!("tenant `{}` has no data", tenant.slug()))
            })?;
        let scope = Scope::of(tenant.id(), locator, &self.shared);
        Ok(TenantDb {
            scope: self.pool.with_role(scope),
            pool: self.pool.clone(),
        })
    }
}

/// A handle bound to one tenant that hands out [`TenantConn`]s: cheap to clone
/// and free to move into spawned jobs. It holds no connection itself.
///
/// ```
/// use diesel_async::RunQueryDsl;
/// use tenancy_runtime::db::TenantDb;
///
/// /// In a handler, `TenantDb` is an extractor.
/// async fn later(db: TenantDb) {
///     tokio::spawn(async move {
///         let mut conn = db.conn().await?;
///         diesel::sql_query("DELETE FROM \"tenant\".notes").execute(&mut conn).await?;
///         Ok::<(), tenancy_runtime::error::Error>(())
///     });
/// }
/// ```
#[derive(Debug, Clone)]
pub struct TenantDb {
    pool: Pool,
    scope: Scope,
}

impl TenantDb {
    /// Borrows a connection.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] when none becomes free in time or the database is
    /// away.
    pub async fn conn(&self) -> Result<TenantConn> {
        Ok(TenantConn::new(self.pool.get().await?, self.scope.clone()))
    }
}
