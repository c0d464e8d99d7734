use std::collections::HashSet;

use diesel::QueryResult;
use diesel::connection::{CacheSize, TransactionManagerStatus};
use diesel::result::ConnectionError;
use diesel_async::pooled_connection::PoolableConnection;
use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection};
use tokio::sync::OwnedSemaphorePermit;
use tokio_postgres::{Config, NoTls};

use super::pipeline::StatementKey;

/// How many different statements one session keeps prepared before it is
/// retired. Diesel's cache has no bound of its own, and in dedicated layouts
/// every tenant brings its own texts.
const MAX_STATEMENTS: usize = 1_000;

/// A physical connection in the pool, with what must be known to use it again.
pub struct Session {
    pub(super) conn: AsyncPgConnection,
    pub(super) state: SessionState,
    /// Its place in a budget, given back when it closes.
    _place: Option<OwnedSemaphorePermit>,
}

/// What this side knows about a session.
#[derive(Default)]
pub(super) struct SessionState {
    /// Whether statements are prepared once and kept.
    pub(super) prepares: bool,
    /// Whether each transaction may run on another server connection, which
    /// other clients use as well.
    pub(super) behind_pooler: bool,
    /// A use has begun and not yet come to a clean end.
    busy: bool,
    /// Something may have stayed behind; the session is closed after this use.
    tainted: bool,
    /// The statements that Diesel's cache holds for this session.
    known: HashSet<StatementKey>,
    /// Depth of transactions, as Diesel counts it.
    pub(super) transactions: TransactionManagerStatus,
    /// `BEGIN` is owed: it rides with the next statement.
    pub(super) owes_begin: bool,
    /// A statement of the open transaction failed; PostgreSQL will not commit it.
    pub(super) failed: bool,
}

impl Session {
    /// Opens a connection that finds no table by an unqualified name.
    pub(super) async fn open(
        login: &Config,
        prepares: bool,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<Self, ConnectionError> {
        let (mut conn, setup) = if prepares {
            (
                establish(login).await?,
                "SET search_path = ''; SET application_name = 'tenancy'",
            )
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
            _place: place,
        })
    }

    /// Whether the next tenant may have this session.
    pub(super) fn is_clean(&mut self) -> bool {
        !self.state.busy
            && !self.state.tainted
            && self.state.known.len() <= MAX_STATEMENTS
            && matches!(self.state.transactions.transaction_depth(), Ok(None))
            && !self.is_closed()
    }

    /// Whether the server is gone, as far as this side has heard.
    pub(super) fn is_closed(&mut self) -> bool {
        self.conn.is_broken()
    }
}

async fn establish(login: &Config) -> Result<AsyncPgConnection, ConnectionError> {
    let (client, connection) = login.connect(NoTls).await.map_err(bad)?;
    AsyncPgConnection::try_from_client_and_connection(client, connection).await
}

/// Opens a connection and a transaction on it. Diesel prepares the statements
/// with which it sets a connection up, which takes two turns each: outside of a
/// transaction, a pooler may give each turn to another server connection.
async fn establish_behind_pooler(login: &Config) -> Result<AsyncPgConnection, ConnectionError> {
    let (client, mut connection) = login.connect(NoTls).await.map_err(bad)?;
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
    /// Marks the start of a use; whoever is dropped before
    /// [`leave`](Self::leave) leaves the mark behind.
    pub(super) fn enter(&mut self) {
        self.tainted |= self.busy;
        self.busy = true;
    }

    /// Marks the clean end of a use: every answer has been read.
    pub(super) fn leave(&mut self) {
        self.busy = false;
    }

    /// Has the session closed after this use.
    pub(super) fn taint(&mut self) {
        self.tainted = true;
    }

    /// Whether the statement is prepared already, so that sending it takes no
    /// answer from the server.
    pub(super) fn knows(&self, key: StatementKey) -> bool {
        self.prepares && self.known.contains(&key)
    }

    pub(super) fn learn(&mut self, key: StatementKey) {
        if self.prepares {
            self.known.insert(key);
        }
    }

    pub(super) fn depth(&self) -> QueryResult<u32> {
        Ok(self
            .transactions
            .transaction_depth()?
            .map_or(0, std::num::NonZero::get))
    }
}
