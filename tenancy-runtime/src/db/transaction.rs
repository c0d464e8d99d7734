//! Transactions whose `BEGIN` costs nothing.
//!
//! `BEGIN` and the scope's settings are not sent when a transaction starts but
//! ride with its first statement, so n statements cost n + 1 round trips. A
//! transaction without a statement costs none.
//!
//! A transaction whose future is dropped is neither committed nor rolled back,
//! and what its connection is asked next would become a part of it: such a
//! connection refuses every further use, and closing it rolls back.

use std::borrow::Cow;

use diesel::QueryResult;
use diesel::connection::{
    TransactionDepthChange, TransactionManagerStatus, ValidTransactionManagerStatus,
};
use diesel::result::{DatabaseErrorKind, Error};
use diesel_async::TransactionManager;

use super::conn::TenantConn;
use super::pipeline::{begin_nested, simple, undo};
use super::residue::ending;
use super::session::{Session, SessionState};

/// The transaction manager of [`TenantConn`].
#[derive(Debug, Clone, Copy)]
pub struct DeferredTransactions;

impl TransactionManager<TenantConn> for DeferredTransactions {
    type TransactionStateData = TransactionManagerStatus;

    async fn begin_transaction(tenant: &mut TenantConn) -> QueryResult<()> {
        let (Session { conn, state, .. }, scope) = tenant.parts();
        let depth = state.depth()?;
        if depth == 0 {
            state.usable()?;
            state.owes_begin = true;
            state.failed = false;
        } else {
            state.enter()?;
            let savepoint = format!("SAVEPOINT tenancy_{depth}");
            if state.owes_begin {
                undo(conn, state).await?;
                begin_nested(conn, state, scope, &savepoint).await?;
                state.owes_begin = false;
            } else {
                simple(conn, &savepoint).await?;
            }
            state.leave();
        }
        change(state, TransactionDepthChange::IncreaseDepth)
    }

    async fn rollback_transaction(tenant: &mut TenantConn) -> QueryResult<()> {
        let (Session { conn, state, .. }, _) = tenant.parts();
        let depth = state.depth()?;
        if state.is_abandoned() {
            // What made the caller roll back says more than that this cannot be
            // done: the server does it when the connection closes.
            return Err(Error::BrokenTransactionManager);
        }
        let sql = match depth {
            0 => return Err(Error::NotInTransaction),
            1 => ending("ROLLBACK", state),
            deeper => format!("ROLLBACK TO SAVEPOINT tenancy_{}", deeper - 1).into(),
        };
        finish(conn, state, &sql).await?;
        state.failed = false;
        change(state, TransactionDepthChange::DecreaseDepth)
    }

    async fn commit_transaction(tenant: &mut TenantConn) -> QueryResult<()> {
        let (Session { conn, state, .. }, _) = tenant.parts();
        let depth = state.depth()?;
        let sql = match depth {
            0 => return Err(Error::NotInTransaction),
            // It may have failed on this side only, and what is reported as
            // rolled back must not be committed.
            1 if state.failed => ending("ROLLBACK", state),
            1 => ending("COMMIT", state),
            deeper => format!("RELEASE SAVEPOINT tenancy_{}", deeper - 1).into(),
        };
        let result = finish(conn, state, &sql).await;
        // However it ended, the level is gone; a broken link closes the session.
        change(state, TransactionDepthChange::DecreaseDepth)?;
        result?;
        if depth == 1 && std::mem::take(&mut state.failed) {
            // PostgreSQL would answer COMMIT with a silent rollback.
            return Err(failure(STATEMENT_FAILED));
        }
        Ok(())
    }

    fn transaction_manager_status_mut(tenant: &mut TenantConn) -> &mut TransactionManagerStatus {
        &mut tenant.parts().0.state.transactions
    }
}

impl TenantConn {
    /// Runs `work` in a transaction, all or nothing.
    pub(crate) async fn all_or_nothing<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Self) -> crate::error::Result<T>,
    ) -> crate::error::Result<T> {
        DeferredTransactions::begin_transaction(self).await?;
        let outcome = match work(self).await {
            Ok(value) => self.ends_at(1).map(|()| value).map_err(Into::into),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(value) => {
                DeferredTransactions::commit_transaction(self).await?;
                Ok(value)
            }
            Err(error) => {
                // Where this fails the session is not used again, and
                // PostgreSQL rolls back when it closes.
                let _ = DeferredTransactions::rollback_transaction(self).await;
                Err(error)
            }
        }
    }

    /// Whether all transactions that were begun beyond `depth` have ended.
    pub(super) fn ends_at(&mut self, depth: u32) -> QueryResult<()> {
        if self.parts().0.state.depth()? == depth {
            return Ok(());
        }
        Err(failure("a transaction that was begun has not ended"))
    }

    /// Whether a statement has failed without its transaction's end since.
    pub(super) fn has_failed(&mut self) -> bool {
        self.parts().0.state.failed
    }

    /// Undoes all that came after the savepoint of `depth`, however the levels
    /// above it were left.
    pub(super) async fn rollback_to(&mut self, depth: u32) -> QueryResult<()> {
        let (Session { conn, state, .. }, _) = self.parts();
        let sql = format!("ROLLBACK TO SAVEPOINT tenancy_{depth}");
        finish(conn, state, &sql).await?;
        state.failed = false;
        while state.depth()? > depth {
            change(state, TransactionDepthChange::DecreaseDepth)?;
        }
        Ok(())
    }
}

/// Sends the end of a level, unless its `BEGIN` was never sent.
async fn finish(
    conn: &diesel_async::AsyncPgConnection,
    state: &mut SessionState,
    sql: &str,
) -> QueryResult<()> {
    state.usable()?;
    if std::mem::take(&mut state.owes_begin) {
        return Ok(());
    }
    state.enter()?;
    let result = simple(conn, sql).await;
    state.leave();
    result
}

/// What is said of a transaction that PostgreSQL will not commit.
pub(super) const STATEMENT_FAILED: &str =
    "the transaction was rolled back: one of its statements had failed";

pub(super) fn failure(what: &str) -> Error {
    Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(what.to_owned()))
}

fn change(state: &mut SessionState, change: TransactionDepthChange) -> QueryResult<()> {
    match &mut state.transactions {
        TransactionManagerStatus::Valid(status) => {
            ValidTransactionManagerStatus::change_transaction_depth(status, change)
        }
        TransactionManagerStatus::InError => Err(Error::BrokenTransactionManager),
    }
}

impl TenantConn {
    /// Runs `callback` in a transaction: committed if it returns `Ok`, rolled
    /// back if it returns `Err`. Inside of another one it is a savepoint.
    ///
    /// As `diesel_async::AsyncConnection::transaction`, with one difference: if
    /// the future is dropped before its end, every further use of the connection
    /// is refused. Generic code that calls the trait's own method must not use a
    /// connection again after dropping a transaction.
    ///
    /// # Errors
    ///
    /// The callback's, and Diesel's if the transaction cannot be begun or ended.
    #[expect(clippy::manual_async_fn, reason = "`Send` is promised, not inferred")]
    pub fn transaction<'a, 'conn, F, R, E>(
        &'conn mut self,
        callback: F,
    ) -> impl Future<Output = Result<R, E>> + Send + 'conn
    where
        for<'r> F: AsyncFnOnce(&'r mut Self) -> Result<R, E>
            + AsyncFunc<&'r mut Self, Result<R, E>, Fut: Send>
            + Send
            + 'a,
        E: From<Error> + Send + 'a,
        R: Send + 'a,
        'a: 'conn,
    {
        async move {
            let mut open = Open::of(self);
            let result = DeferredTransactions::transaction(&mut *open.conn, callback).await;
            open.ended = true;
            result
        }
    }

    /// A transaction of another kind than the database's default.
    ///
    /// ```
    /// use diesel_async::RunQueryDsl;
    /// use tenancy_runtime::db::TenantConn;
    /// use tenancy_runtime::error::Result;
    ///
    /// async fn close_month(db: &mut TenantConn) -> Result<usize> {
    ///     db.build_transaction()
    ///         .serializable()
    ///         .run(async |db| {
    ///             let close = diesel::sql_query("UPDATE \"tenant\".months SET closed = true");
    ///             Ok(close.execute(db).await?)
    ///         })
    ///         .await
    /// }
    /// ```
    pub fn build_transaction(&mut self) -> TransactionBuilder<'_> {
        TransactionBuilder {
            conn: self,
            mode: Mode::default(),
        }
    }
}

/// What a transaction is like; [`run`](Self::run) runs it. What is chosen costs
/// no round trip.
#[derive(Debug)]
#[must_use = "a transaction runs with `run`"]
pub struct TransactionBuilder<'conn> {
    conn: &'conn mut TenantConn,
    mode: Mode,
}

impl<'conn> TransactionBuilder<'conn> {
    /// As if all transactions ran one after the other. One that cannot be
    /// arranged so fails and may be tried again: `Error::Unavailable`.
    pub fn serializable(mut self) -> Self {
        self.mode.level = Some("SERIALIZABLE");
        self
    }

    /// All its statements see the same state of the database.
    pub fn repeatable_read(mut self) -> Self {
        self.mode.level = Some("REPEATABLE READ");
        self
    }

    /// PostgreSQL refuses to write in it.
    pub fn read_only(mut self) -> Self {
        self.mode.read_only = true;
        self
    }

    /// Runs `callback` in the transaction, as [`TenantConn::transaction`] does.
    ///
    /// # Errors
    ///
    /// As there; and `AlreadyInTransaction` inside of another one, whose kind
    /// cannot be changed any more.
    #[expect(clippy::manual_async_fn, reason = "`Send` is promised, not inferred")]
    pub fn run<'a, F, R, E>(self, callback: F) -> impl Future<Output = Result<R, E>> + Send + 'conn
    where
        for<'r> F: AsyncFnOnce(&'r mut TenantConn) -> Result<R, E>
            + AsyncFunc<&'r mut TenantConn, Result<R, E>, Fut: Send>
            + Send
            + 'a,
        E: From<Error> + Send + 'a,
        R: Send + 'a,
        'a: 'conn,
    {
        async move {
            let Self { conn, mode } = self;
            if conn.parts().0.state.depth()? > 0 {
                return Err(Error::AlreadyInTransaction.into());
            }
            conn.parts().0.state.mode = mode;
            let result = conn.transaction(callback).await;
            conn.parts().0.state.mode = Mode::default();
            result
        }
    }
}

/// What `BEGIN` says of its transaction.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mode {
    level: Option<&'static str>,
    read_only: bool,
}

impl Mode {
    /// What stands behind the word `BEGIN`.
    pub(super) fn sql(self) -> Cow<'static, str> {
        let read_only = if self.read_only { " READ ONLY" } else { "" };
        match self.level {
            Some(level) => format!(" ISOLATION LEVEL {level}{read_only}").into(),
            None => read_only.into(),
        }
    }
}

/// A transaction on its way. Dropped before its end it leaves its mark.
struct Open<'a> {
    conn: &'a mut TenantConn,
    ended: bool,
}

impl<'a> Open<'a> {
    fn of(conn: &'a mut TenantConn) -> Self {
        Self { conn, ended: false }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.conn.parts().0.state.abandon();
        }
    }
}

/// An asynchronous closure whose future can be named, to say that it is `Send`:
/// the twin of a trait that diesel-async has for the same and does not export.
pub trait AsyncFunc<T, R>: AsyncFnOnce(T) -> R + FnOnce(T) -> Self::Fut {
    /// What the closure returns.
    type Fut: Future<Output = R>;
}

impl<F, T, Fut, R> AsyncFunc<T, R> for F
where
    F: AsyncFnOnce(T) -> R + FnOnce(T) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}
