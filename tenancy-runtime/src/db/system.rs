use diesel::QueryResult;
use diesel::connection::{CacheSize, Instrumentation, TransactionManagerStatus};
use diesel::pg::Pg;
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel::result::{ConnectionError, ConnectionResult, Error};
use diesel_async::{
    AsyncConnection, AsyncConnectionCore, SimpleAsyncConnection, TransactionManager,
};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use super::conn::{PgRow, TenantConn};
use super::pool::Pool;
use super::transaction::{DeferredTransactions, STATEMENT_FAILED, failure};
use crate::isolation::Scope;
use crate::tenant::SchemaName;

/// The level of the transaction that the audit row stands in.
const TRAIL: u32 = 1;
/// The level of the savepoint behind the audit row, in which the work is done.
const WORK: u32 = 2;

/// A connection of the system role, in a transaction that begins with its audit
/// row: it sees the rows of all tenants.
///
/// [`SystemAccess::run`](crate::system::SystemAccess::run) lends it to its
/// closure; there is no other way to one. It implements
/// `diesel_async::AsyncConnection`. In its statements `"tenant"` stands for the
/// shared tables with the rows of every tenant in them, `"shared"` for the
/// tables that all tenants read; tenants with a schema of their own are reached
/// by [`for_each_tenant`](crate::system::SystemAccess::for_each_tenant).
///
/// `transaction` makes savepoints. A statement that would end the transaction
/// itself, and so leave the audit row behind, is refused as on every connection
/// of ours.
pub struct SystemConn {
    conn: TenantConn,
}

impl SystemConn {
    /// Begins the transaction; nothing is sent before the audit row.
    pub(crate) async fn begin(pool: &Pool, shared: &SchemaName) -> crate::error::Result<Self> {
        let scope = pool.with_role(Scope::system(shared));
        let mut conn = TenantConn::new(pool.get().await?, scope, None);
        DeferredTransactions::begin_transaction(&mut conn).await?;
        Ok(Self { conn })
    }

    /// The connection to write the trail with.
    pub(crate) fn trail(&mut self) -> &mut TenantConn {
        &mut self.conn
    }

    /// Sets the savepoint behind the audit row.
    pub(crate) async fn begin_work(&mut self) -> QueryResult<()> {
        DeferredTransactions::begin_transaction(&mut self.conn).await
    }

    /// Ends work that went well; the transaction goes on.
    pub(crate) async fn keep_work(&mut self) -> QueryResult<()> {
        self.conn.ends_at(WORK)?;
        if self.conn.has_failed() {
            return Err(failure(STATEMENT_FAILED));
        }
        DeferredTransactions::commit_transaction(&mut self.conn).await
    }

    /// Undoes the work, however it was left; the transaction goes on.
    pub(crate) async fn undo_work(&mut self) -> QueryResult<()> {
        self.conn.rollback_to(TRAIL).await
    }

    /// Makes the audit row last, and the work if it was kept.
    pub(crate) async fn commit(mut self) -> QueryResult<()> {
        DeferredTransactions::commit_transaction(&mut self.conn).await
    }

    /// Whether a level of the work's own is open, which it may end.
    fn in_own_transaction(&mut self) -> QueryResult<()> {
        match self.conn.parts().0.state.depth()? {
            0..=WORK => Err(Error::NotInTransaction),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for SystemConn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SystemConn").finish_non_exhaustive()
    }
}

impl SimpleAsyncConnection for SystemConn {
    /// Runs several statements at once; afterwards the session is closed.
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.conn.batch_execute(query).await
    }
}

impl AsyncConnectionCore for SystemConn {
    type ExecuteFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<usize>>;
    type LoadFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<Self::Stream<'conn, 'query>>>;
    type Stream<'conn, 'query> = BoxStream<'static, QueryResult<PgRow>>;
    type Row<'conn, 'query> = PgRow;
    type Backend = Pg;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<Pg> + QueryId + 'query,
    {
        AsyncConnectionCore::load(&mut self.conn, source)
    }

    fn execute_returning_count<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Pg> + QueryId + 'query,
    {
        AsyncConnectionCore::execute_returning_count(&mut self.conn, source)
    }
}

impl AsyncConnection for SystemConn {
    type TransactionManager = AuditedTransactions;

    async fn establish(_url: &str) -> ConnectionResult<Self> {
        Err(ConnectionError::BadConnection(
            "a SystemConn is lent by SystemAccess::run".to_owned(),
        ))
    }

    fn transaction_state(&mut self) -> &mut TransactionManagerStatus {
        self.conn.transaction_state()
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.conn.instrumentation()
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.conn.set_instrumentation(instrumentation);
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.conn.set_prepared_statement_cache_size(size);
    }
}

/// The transaction manager of [`SystemConn`]: it ends what the work has begun,
/// and never the transaction of the audit row.
#[derive(Debug, Clone, Copy)]
pub struct AuditedTransactions;

impl TransactionManager<SystemConn> for AuditedTransactions {
    type TransactionStateData = TransactionManagerStatus;

    async fn begin_transaction(system: &mut SystemConn) -> QueryResult<()> {
        DeferredTransactions::begin_transaction(&mut system.conn).await
    }

    async fn rollback_transaction(system: &mut SystemConn) -> QueryResult<()> {
        system.in_own_transaction()?;
        DeferredTransactions::rollback_transaction(&mut system.conn).await
    }

    async fn commit_transaction(system: &mut SystemConn) -> QueryResult<()> {
        system.in_own_transaction()?;
        DeferredTransactions::commit_transaction(&mut system.conn).await
    }

    fn transaction_manager_status_mut(system: &mut SystemConn) -> &mut TransactionManagerStatus {
        DeferredTransactions::transaction_manager_status_mut(&mut system.conn)
    }
}
