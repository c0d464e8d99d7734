//! Work that belongs to no tenant: the registry's own tables, and the owner's
//! DDL. None of it can be reached from a tenant's types.

use diesel::sql_types::Text;
use diesel_async::methods::LoadQuery;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::conn::TenantConn;
use super::pipeline::undo;
use super::pool::{Pool, PooledSession};
use super::session::Session;
use crate::error::Result;
use crate::isolation::Scope;
use crate::isolation::rls;
use crate::tenant::TenantId;

impl Pool {
    /// Reads rows by a statement that names no tenant's table: there the
    /// placeholder stays what it is, a schema that does not exist.
    ///
    /// Boxed: as an `async fn` its future is not provably `Send`.
    pub(crate) fn read<'query, Row>(
        &self,
        query: impl LoadQuery<'query, TenantConn, Row> + Send + 'query,
    ) -> BoxFuture<'query, Result<Vec<Row>>>
    where
        Row: Send + 'query,
    {
        let pool = self.clone();
        async move {
            let mut conn = pool.outside().await?;
            Ok(RunQueryDsl::load(query, &mut conn).await?)
        }
        .boxed()
    }

    /// Runs one statement that must stand outside of a transaction, as the role
    /// that logs in.
    pub(crate) async fn run(&self, sql: &str) -> Result<()> {
        let mut session = self.borrow().await?;
        session.conn.batch_execute(sql).await?;
        session.state.leave();
        Ok(())
    }

    /// A connection that belongs to no tenant.
    pub(crate) async fn outside(&self) -> Result<TenantConn> {
        let scope = self.with_role(Scope::outside());
        Ok(TenantConn::new(self.get().await?, scope, None))
    }

    /// A connection to the framework's own tables, which row-level security holds
    /// to the rows of one tenant there, wherever that tenant's data is.
    #[cfg(feature = "encryption")]
    pub(crate) async fn inside(&self, tenant: TenantId) -> Result<TenantConn> {
        let scope = Scope::outside().with_setting(rls::SETTING, tenant.to_string());
        let scope = self.with_role(scope);
        Ok(TenantConn::new(self.get().await?, scope, None))
    }

    /// Begins a transaction that belongs to no tenant.
    pub(crate) async fn begin(&self) -> Result<Transaction> {
        let mut session = self.borrow().await?;
        session.conn.batch_execute("BEGIN").await?;
        if let Some(role) = self.role() {
            let sql = format!("SET LOCAL ROLE {}", crate::model::quoted(role));
            session.conn.batch_execute(&sql).await?;
        }
        Ok(Transaction { session })
    }

    /// A session that carries nothing, marked as in use.
    async fn borrow(&self) -> Result<PooledSession> {
        let mut session = self.get().await?;
        let Session { conn, state, .. } = &mut *session;
        state.borrow();
        state.enter()?;
        undo(conn, state).await?;
        Ok(session)
    }
}

/// A transaction that belongs to no tenant. Dropped without
/// [`commit`](Self::commit) or [`rollback`](Self::rollback) its connection is
/// closed, and PostgreSQL rolls back.
pub struct Transaction {
    session: PooledSession,
}

impl Transaction {
    /// The connection, to run statements on.
    pub fn conn(&mut self) -> &mut AsyncPgConnection {
        &mut self.session.conn
    }

    /// Has row-level security hold the owner, too, to one tenant's rows: without a
    /// tenant it sees none.
    pub(crate) async fn hold_to(&mut self, tenant: TenantId) -> Result<()> {
        diesel::sql_query("SELECT set_config($1, $2, true)")
            .bind::<Text, _>(rls::SETTING)
            .bind::<Text, _>(tenant.to_string())
            .execute(self.conn())
            .await?;
        Ok(())
    }

    /// Has the connection closed after this transaction: what ran in it may
    /// have left something behind.
    pub(crate) fn taint(&mut self) {
        self.session.state.taint();
    }

    /// Makes the changes last.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn commit(self) -> Result<()> {
        self.finish("COMMIT").await
    }

    /// Undoes the changes and keeps the connection.
    ///
    /// # Errors
    ///
    /// Those of the database; the changes are undone then as well.
    pub async fn rollback(self) -> Result<()> {
        self.finish("ROLLBACK").await
    }

    async fn finish(mut self, sql: &str) -> Result<()> {
        self.session.conn.batch_execute(sql).await?;
        self.session.state.leave();
        Ok(())
    }
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").finish_non_exhaustive()
    }
}
