use std::collections::HashSet;
use std::time::Duration;

use diesel::QueryResult;
use diesel::connection::{CacheSize, TransactionManagerStatus};
use diesel::result::{ConnectionError, Error};
use diesel_async::pooled_connection::PoolableConnection;
use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection};
use tokio_postgres::Config;

use super::budget::Place;
use super::pipeline::StatementKey;
use super::qualify::Residue;
use super::residue::SETUP;
use super::transaction::Mode;
use crate::tls;

/// How many different statements one session keeps prepared before it forgets
/// them all. Diesel's cache has no bound of its own, and in dedicated layouts
/// every tenant brings its own texts.
const MAX_STATEMENTS: usize = 1_000;

/// How long a request to cancel an abandoned statement may take.
const CANCELLING: Duration = Duration::from_secs(5);

/// A physical connection in the pool, with what must be known to use it again.
pub struct Session {
    pub(super) conn: AsyncPgConnection,
    pub(super) state: SessionState,
    /// Its place in a budget, given back when it closes.
    place: Option<Place>,
    encrypted: bool,
}

/// What this side knows about a session.
#[derive(Default)]
pub(super) struct SessionState {
    /// Whether statements are prepared once and kept.
    pub(super) prepares: bool,
    /// Whether each transaction may run on another server connection, which
    /// other clients use as well.
    pub(super) behind_pooler: bool,
    /// A statement or a transaction has begun and not yet come to an end.
    busy: bool,
    /// Anything may have stayed behind; the session is closed after this use.
    tainted: bool,
    /// Something may have stayed behind that the next use must undo.
    marked: bool,
    /// The use before this one was marked, and it is not undone yet.
    owes_undo: bool,
    /// The statements that were sent, whether or not they could be prepared.
    sent: HashSet<StatementKey>,
    /// Those of them that Diesel's cache surely holds.
    known: HashSet<StatementKey>,
    /// What is prepared does not fit the tables any more.
    stale: bool,
    /// Depth of transactions, as Diesel counts it.
    pub(super) transactions: TransactionManagerStatus,
    /// `BEGIN` is owed: it rides with the next statement.
    pub(super) owes_begin: bool,
    /// What it says about the transaction.
    pub(super) mode: Mode,
    /// A statement of the open transaction failed; PostgreSQL will not commit it.
    pub(super) failed: bool,
}

impl Session {
    /// Opens a connection that finds no table by an unqualified name.
    pub(super) async fn open(
        login: &Config,
        prepares: bool,
        place: Option<Place>,
    ) -> Result<Self, ConnectionError> {
        let (mut conn, setup) = if prepares {
            (establish(login).await?, SETUP)
        } else {
            // The search path is set in every transaction: here it would stay
            // on whichever server connection the pooler has picked.
            let mut conn = establish_behind_pooler(login).await?;
            conn.set_prepared_statement_cache_size(CacheSize::Disabled);
            (conn, "SET application_name = 'tenancy'; COMMIT")
        };
        conn.batch_execute(setup)
            .await
            .map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(Self {
            conn,
            state: SessionState {
                prepares,
                behind_pooler: !prepares,
                ..SessionState::default()
            },
            place,
            encrypted: tls::is_asked_by(login),
        })
    }

    /// Whether the next tenant may have this session.
    pub(super) fn is_clean(&mut self) -> bool {
        self.state.is_clean() && !self.is_closed()
    }

    /// Forgets what is prepared, here and on the server, when it is too much or
    /// out of date.
    pub(super) fn make_room(&mut self) {
        let state = &mut self.state;
        if !state.prepares || !(state.stale || state.sent.len() >= MAX_STATEMENTS) {
            return;
        }
        for size in [CacheSize::Disabled, CacheSize::Unbounded] {
            self.conn.set_prepared_statement_cache_size(size);
        }
        state.sent.clear();
        state.known.clear();
        state.stale = false;
    }

    /// Whether the server is gone, as far as this side has heard.
    pub(super) fn is_closed(&mut self) -> bool {
        self.conn.is_broken()
    }
}

/// A statement that nobody waits for any more holds locks and a connection of the
/// server's, long after ours is closed, unless it is cancelled.
impl Drop for Session {
    fn drop(&mut self) {
        // A pooler holds a request to cancel until a server connection is free to
        // pass it on, which in a small pool is the one to be freed. It closes the
        // server connection of a client that leaves in its transaction.
        if !self.state.busy || self.state.behind_pooler || self.is_closed() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (token, place) = (self.conn.cancel_token(), self.place.take());
        let encrypted = self.encrypted;
        runtime.spawn(async move {
            let cancelled =
                tokio::time::timeout(CANCELLING, token.cancel_query(tls::connector(encrypted)))
                    .await;
            if !matches!(cancelled, Ok(Ok(()))) {
                tracing::debug!("an abandoned statement could not be cancelled");
            }
            // Until then the server's connection may be there.
            drop(place);
        });
    }
}

async fn establish(login: &Config) -> Result<AsyncPgConnection, ConnectionError> {
    let (client, connection) = tls::connect(login).await.map_err(bad)?;
    AsyncPgConnection::try_from_client_and_connection(client, connection).await
}

/// Opens a connection and a transaction on it. Diesel prepares the statements
/// with which it sets a connection up, which takes two turns each: outside of a
/// transaction, a pooler may give each turn to another server connection.
async fn establish_behind_pooler(login: &Config) -> Result<AsyncPgConnection, ConnectionError> {
    let (client, mut connection) = tls::connect(login).await.map_err(bad)?;
    tokio::select! {
        // As in every other transaction: names of statements must be free.
        begun = client.batch_execute("BEGIN; DEALLOCATE ALL") => begun.map_err(bad)?,
        ended = &mut connection => {
            ended.map_err(bad)?;
            return Err(ConnectionError::BadConnection(
                "the server closed the connection".to_owned(),
            ));
        }
    }
    AsyncPgConnection::try_from_client_and_connection(client, connection).await
}

/// With the cause: the driver's own text says only that it failed.
fn bad(error: tokio_postgres::Error) -> ConnectionError {
    let mut text = error.to_string();
    if let Some(cause) = error.into_source() {
        text = format!("{text}: {cause}");
    }
    ConnectionError::BadConnection(text)
}

impl SessionState {
    /// Whether the next tenant may have the session, as far as this side knows.
    fn is_clean(&self) -> bool {
        !self.busy && !self.tainted && matches!(self.transactions.transaction_depth(), Ok(None))
    }

    /// Begins what the session is borrowed for: what the use before may have
    /// left is undone with its first statement.
    pub(super) fn borrow(&mut self) {
        self.owes_undo |= std::mem::take(&mut self.marked);
    }

    /// Marks the start of a statement; whoever is dropped before
    /// [`leave`](Self::leave) leaves the mark behind.
    ///
    /// # Errors
    ///
    /// If it was left behind already, for ever: what the server did meanwhile,
    /// and whether a transaction is open there, is not known.
    pub(super) fn enter(&mut self) -> QueryResult<()> {
        self.usable()?;
        self.busy = true;
        Ok(())
    }

    /// # Errors
    ///
    /// As [`enter`](Self::enter).
    pub(super) fn usable(&self) -> QueryResult<()> {
        if self.busy {
            return Err(Error::QueryBuilderError(
                "a statement or transaction of this connection was abandoned before its end (by \
                 a timeout, say); take another connection from the `TenantDb`"
                    .into(),
            ));
        }
        Ok(())
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.busy
    }

    /// Marks the clean end of a statement: every answer has been read.
    pub(super) fn leave(&mut self) {
        self.busy = false;
    }

    /// Refuses every further use: the future of a transaction was dropped, and
    /// what comes next would become a part of it.
    pub(super) fn abandon(&mut self) {
        self.busy = true;
    }

    /// Has the session closed after this use.
    pub(super) fn taint(&mut self) {
        self.tainted = true;
    }

    /// Takes down what a statement may leave behind.
    pub(super) fn note(&mut self, residue: Residue) {
        self.marked |= residue > Residue::Nothing;
        self.tainted |= residue == Residue::Unknown;
    }

    /// Whether something may have stayed behind in this use.
    pub(super) fn leaves_something(&self) -> bool {
        self.marked
    }

    /// Whether what the use before has left is to be undone now. Behind a pooler
    /// that is done in every transaction.
    pub(super) fn take_undo(&mut self) -> bool {
        std::mem::take(&mut self.owes_undo) && !self.behind_pooler
    }

    /// Whether the statement is prepared already, so that sending it takes no
    /// answer from the server.
    pub(super) fn knows(&self, key: StatementKey) -> bool {
        self.prepares && self.known.contains(&key)
    }

    /// Takes down that a statement is about to be sent.
    pub(super) fn send(&mut self, key: StatementKey) {
        if self.prepares {
            self.sent.insert(key);
        }
    }

    /// Takes down that a statement is prepared.
    pub(super) fn learn(&mut self, key: StatementKey) {
        if self.prepares {
            self.known.insert(key);
        }
    }

    /// Has everything prepared anew.
    pub(super) fn outdate(&mut self) {
        self.stale = true;
    }

    pub(super) fn depth(&self) -> QueryResult<u32> {
        Ok(self
            .transactions
            .transaction_depth()?
            .map_or(0, std::num::NonZero::get))
    }
}

#[cfg(test)]
mod tests {
    use diesel::connection::TransactionDepthChange;

    use super::*;

    #[test]
    fn each_thing_that_is_left_keeps_a_session_from_the_next() {
        let clean = SessionState::default;
        assert!(clean().is_clean());
        let mut tainted = clean();
        tainted.taint();
        assert!(!tainted.is_clean());
        let mut busy = clean();
        busy.enter().unwrap();
        assert!(!busy.is_clean());
        busy.leave();
        assert!(busy.is_clean());
        busy.abandon();
        assert!(!busy.is_clean());
        let mut open = clean();
        let TransactionManagerStatus::Valid(status) = &mut open.transactions else {
            panic!("valid at first");
        };
        status
            .change_transaction_depth(TransactionDepthChange::IncreaseDepth)
            .unwrap();
        assert!(!open.is_clean());
        let mut broken = clean();
        broken.transactions.set_in_error();
        assert!(!broken.is_clean());
    }

    #[test]
    fn an_abandoned_use_is_told_of_for_ever() {
        let mut state = SessionState::default();
        state.enter().unwrap();
        for _ in 0..2 {
            let refused = state.enter().unwrap_err().to_string();
            assert!(refused.contains("abandoned"), "{refused}");
            assert!(!state.is_clean());
        }
    }

    #[test]
    fn what_a_use_leaves_is_undone_once_in_the_next() {
        let mut state = SessionState::default();
        state.note(Residue::Undoable);
        assert!(!state.take_undo(), "not by the one who left it");
        assert!(state.is_clean());
        state.borrow();
        // Nothing was sent: the one after must do it.
        state.borrow();
        assert!(state.take_undo());
        assert!(!state.take_undo());
        state.note(Residue::Nothing);
        state.borrow();
        assert!(!state.take_undo());
        state.note(Residue::Unknown);
        assert!(!state.is_clean());
    }
}
