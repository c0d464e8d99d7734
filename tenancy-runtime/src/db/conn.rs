use diesel::QueryResult;
use diesel::connection::{CacheSize, Instrumentation, TransactionManagerStatus};
use diesel::pg::Pg;
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel::result::{ConnectionError, ConnectionResult};
use diesel_async::{
    AsyncConnection, AsyncConnectionCore, AsyncPgConnection, SimpleAsyncConnection,
};
use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};

use super::pipeline::{Around, begin, run, simple, undo};
use super::pool::PooledSession;
use super::qualify::{Qualified, Residue, qualify};
use super::residue::ending;
use super::session::Session;
use super::statement::Statement;
use super::transaction::DeferredTransactions;
use crate::error::{Error, Result};
use crate::isolation::Scope;
use crate::tenant::Tenant;

pub(super) type PgRow = <AsyncPgConnection as AsyncConnectionCore>::Row<'static, 'static>;

/// A connection that sees one tenant's rows and no others.
///
/// It implements `diesel_async::AsyncConnection`: every query of the Diesel
/// DSL, raw SQL and transactions work on it. Rows are read to the end before
/// the first is handed out, so that the session is clean whenever the caller
/// stops reading.
///
/// In a handler it is an extractor; elsewhere [`TenantDb`](super::TenantDb)
/// hands it out.
///
/// ```
/// use diesel::prelude::*;
/// use diesel_async::{AsyncConnection, RunQueryDsl};
/// use tenancy_runtime::db::TenantConn;
///
/// // The placeholder schema: the tenant's own place is written here.
/// diesel::table! { tenant.notes (id) { id -> Int8, text -> Text } }
///
/// async fn replace(db: &mut TenantConn, text: &str) -> QueryResult<Vec<String>> {
///     db.transaction(async |db| {
///         diesel::sql_query("DELETE FROM \"tenant\".notes").execute(db).await?;
///         diesel::insert_into(notes::table).values(notes::text.eq(text)).execute(db).await?;
///         notes::table.select(notes::text).load(db).await
///     })
///     .await
/// }
/// ```
pub struct TenantConn {
    session: PooledSession,
    scope: Scope,
    /// `None` for the framework's own reads, which are nobody's.
    tenant: Option<Tenant>,
}

impl TenantConn {
    pub(super) fn new(session: PooledSession, scope: Scope, tenant: Option<Tenant>) -> Self {
        let mut conn = Self {
            session,
            scope,
            tenant,
        };
        conn.session.state.borrow();
        conn
    }

    /// Whose connection it is.
    pub(crate) fn tenant(&self) -> Result<&Tenant> {
        let tenant = self.tenant.as_ref();
        tenant.ok_or_else(|| Error::internal("this connection belongs to no tenant"))
    }

    pub(super) fn parts(&mut self) -> (&mut Session, &Scope) {
        (&mut self.session, &self.scope)
    }
}

impl std::fmt::Debug for TenantConn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TenantConn")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl SimpleAsyncConnection for TenantConn {
    /// Runs several statements at once. What they leave behind cannot be known,
    /// so the session is closed afterwards instead of going back to the pool.
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        let Qualified { sql, .. } = qualify(query, &self.scope).permitted()?;
        let Session { conn, state, .. } = &mut *self.session;
        state.enter()?;
        state.note(Residue::Unknown);
        undo(conn, state).await?;
        let around = Around::of(&self.scope, state)?;
        if around != Around::Nothing {
            begin(conn, state, &self.scope).await?;
        }
        let mut result = simple(conn, &sql).await;
        if around == Around::Transaction {
            result = simple(conn, &ending("COMMIT", state)).await.and(result);
        } else {
            state.owes_begin = false;
            state.failed |= result.is_err() && state.depth()? > 0;
        }
        state.leave();
        result
    }
}

impl AsyncConnectionCore for TenantConn {
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
        let Self { session, scope, .. } = self;
        let statement = match Statement::new(source.as_query(), scope) {
            Ok(statement) => statement,
            Err(error) => return Box::pin(std::future::ready(Err(error))),
        };
        session.make_room();
        let Session { conn, state, .. } = &mut **session;
        state.note(statement.leaves());
        let identity = statement.identity();
        let conn: &'conn AsyncPgConnection = conn;
        let rows = AsyncConnectionCore::load(&mut &*conn, statement);
        Box::pin(async move {
            let all = async { rows.await?.try_collect::<Vec<_>>().await };
            let rows = run(conn, state, scope, identity, all).await?;
            Ok(stream::iter(rows.into_iter().map(Ok)).boxed())
        })
    }

    fn execute_returning_count<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Pg> + QueryId + 'query,
    {
        let Self { session, scope, .. } = self;
        let statement = match Statement::new(source, scope) {
            Ok(statement) => statement,
            Err(error) => return Box::pin(std::future::ready(Err(error))),
        };
        session.make_room();
        let Session { conn, state, .. } = &mut **session;
        state.note(statement.leaves());
        let identity = statement.identity();
        let conn: &'conn AsyncPgConnection = conn;
        let count = AsyncConnectionCore::execute_returning_count(&mut &*conn, statement);
        Box::pin(run(conn, state, scope, identity, count))
    }
}

impl AsyncConnection for TenantConn {
    type TransactionManager = DeferredTransactions;

    async fn establish(_url: &str) -> ConnectionResult<Self> {
        Err(ConnectionError::BadConnection(
            "a TenantConn belongs to a tenant and comes from its TenantDb".to_owned(),
        ))
    }

    fn transaction_state(&mut self) -> &mut TransactionManagerStatus {
        &mut self.session.state.transactions
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.session.conn.instrumentation()
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        // It would stay on the session and see the next tenant's statements.
        self.session.state.taint();
        self.session.conn.set_instrumentation(instrumentation);
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        let Session { conn, state, .. } = &mut *self.session;
        if state.behind_pooler {
            // What was prepared in one transaction is not there in the next.
            return;
        }
        state.taint();
        state.prepares = false;
        conn.set_prepared_statement_cache_size(size);
    }
}
