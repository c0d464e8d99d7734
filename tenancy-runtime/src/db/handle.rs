use super::conn::TenantConn;
use super::pool::Pool;
use crate::error::Result;
use crate::isolation::Scope;

/// A handle bound to one tenant that hands out [`TenantConn`]s: cheap to clone
/// and free to move into spawned jobs. It holds no connection itself.
#[derive(Debug, Clone)]
pub struct TenantDb {
    pool: Pool,
    scope: Scope,
}

impl TenantDb {
    /// Binds a pool of the application role to a scope.
    #[must_use]
    pub fn new(pool: Pool, scope: Scope) -> Self {
        Self { pool, scope }
    }

    /// Borrows a connection.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`](crate::error::Error::Unavailable) when none
    /// becomes free in time or the database is away.
    pub async fn conn(&self) -> Result<TenantConn> {
        Ok(TenantConn::new(self.pool.get().await?, self.scope.clone()))
    }
}
