//! Transactions whose `BEGIN` costs nothing.
//!
//! `BEGIN` and the scope's settings are not sent when a transaction starts but
//! ride with its first statement, so n statements cost n + 1 round trips. A
//! transaction without a statement costs none.

use diesel::QueryResult;
use diesel::connection::{
    TransactionDepthChange, TransactionManagerStatus, ValidTransactionManagerStatus,
};
use diesel::result::{DatabaseErrorKind, Error};
use diesel_async::TransactionManager;

use super::conn::TenantConn;
use super::pipeline::{begin, simple};
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
            state.owes_begin = true;
            state.failed = false;
        } else {
            state.enter();
            if state.owes_begin {
                begin(conn, state, scope).await?;
                state.owes_begin = false;
            }
            simple(conn, &format!("SAVEPOINT tenancy_{depth}")).await?;
            state.leave();
        }
        change(state, TransactionDepthChange::IncreaseDepth)
    }

    async fn rollback_transaction(tenant: &mut TenantConn) -> QueryResult<()> {
        let (Session { conn, state, .. }, _) = tenant.parts();
        let depth = state.depth()?;
        let sql = match depth {
            0 => return Err(Error::NotInTransaction),
            1 => "ROLLBACK".to_owned(),
            deeper => format!("ROLLBACK TO SAVEPOINT tenancy_{}", deeper - 1),
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
            1 if state.failed => "ROLLBACK".to_owned(),
            1 => "COMMIT".to_owned(),
            deeper => format!("RELEASE SAVEPOINT tenancy_{}", deeper - 1),
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
    if std::mem::take(&mut state.owes_begin) {
        return Ok(());
    }
    state.enter();
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
