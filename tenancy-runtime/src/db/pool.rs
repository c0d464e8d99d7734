use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use diesel::result::ConnectionError;

use super::budget::{Budget, Place};
use super::session::Session;
use crate::error::Error;
use crate::isolation::Scope;

/// How a pool connects and how long its users wait.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// Where and as whom to log in.
    pub login: tokio_postgres::Config,
    /// The most connections at a time.
    pub size: u32,
    /// How long a request waits for a connection before it is refused.
    pub wait: Duration,
    /// Whether statements are prepared once and kept, and the session with its
    /// empty search path is set up once. Off behind any transaction-mode pooler,
    /// also one that follows prepared statements: every statement then runs in
    /// a transaction, which relies on nothing that an earlier one left on the
    /// server connection. Enums and other
    /// types that are not built into PostgreSQL may fail there, because the
    /// driver looks them up with a statement that it keeps prepared.
    pub prepared_statements: bool,
}

/// A pool of [`Session`]s, used as one role.
#[derive(Clone)]
pub struct Pool {
    inner: bb8::Pool<SessionManager>,
    role: Option<&'static str>,
    size: u32,
}

/// How many connections a pool has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolNumbers {
    /// Open, in use or idle.
    pub connections: u32,
    /// Those of them that nobody is using.
    pub idle: u32,
}

/// A session on loan; it goes back to the pool, or is closed, when dropped.
pub type PooledSession = bb8::PooledConnection<'static, SessionManager>;

impl Pool {
    /// Makes a pool; connections are opened when they are first needed.
    #[must_use]
    pub fn new(settings: PoolSettings) -> Self {
        Self::build(bb8::Pool::builder(), settings, None)
    }

    /// One of many pools that share a budget, whose connections are closed when
    /// nobody has used them for the time `idle`.
    pub(super) fn within(settings: PoolSettings, budget: Arc<Budget>, idle: Duration) -> Self {
        let builder = bb8::Pool::builder()
            .idle_timeout(idle)
            .reaper_rate((idle / 2).max(Duration::from_millis(100)));
        Self::build(builder, settings, Some(budget))
    }

    fn build(
        builder: bb8::Builder<SessionManager>,
        mut settings: PoolSettings,
        budget: Option<Arc<Budget>>,
    ) -> Self {
        notice_silence(&mut settings.login);
        let inner = builder
            .max_size(settings.size)
            .connection_timeout(settings.wait)
            .error_sink(Box::new(LogErrors))
            .build_unchecked(SessionManager {
                login: settings.login,
                wait: settings.wait,
                prepared_statements: settings.prepared_statements,
                budget,
                open: Arc::default(),
            });
        Self {
            inner,
            role: None,
            size: settings.size,
        }
    }

    /// The same connections, used as another role than the one they log in as:
    /// every transaction takes it for its own length. For the embedded database,
    /// which has room for one connection only.
    #[must_use]
    pub fn acting_as(&self, role: &'static str) -> Self {
        Self {
            inner: self.inner.clone(),
            role: Some(role),
            size: self.size,
        }
    }

    pub(super) fn role(&self) -> Option<&'static str> {
        self.role
    }

    /// `scope`, with the role that this pool acts as.
    pub(super) fn with_role(&self, scope: Scope) -> Scope {
        match self.role {
            Some(role) => scope.with_setting("role", role),
            None => scope,
        }
    }

    /// Borrows a session, waiting at most as long as the settings say.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] when none became free or the database is away.
    pub async fn get(&self) -> Result<PooledSession, Error> {
        self.inner.get_owned().await.map_err(|error| match error {
            bb8::RunError::User(error) => Error::unavailable(error),
            bb8::RunError::TimedOut => {
                Error::unavailable("no database connection became free in time")
            }
        })
    }

    /// Opens a connection beside the pool's and closes it again. Unlike a wait
    /// for one of the pool it fails at once, and says why.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] with the reason.
    pub async fn check_login(&self) -> Result<(), Error> {
        let opened = self.inner.dedicated_connection().await;
        opened.map(drop).map_err(Error::unavailable)
    }

    /// The most connections at a time.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// How many connections are open, in use or idle.
    #[must_use]
    pub fn connections(&self) -> u32 {
        self.inner.state().connections
    }

    /// Both numbers at once.
    #[must_use]
    pub fn numbers(&self) -> PoolNumbers {
        let state = self.inner.state();
        PoolNumbers {
            connections: state.connections,
            idle: state.idle_connections,
        }
    }

    /// How many of the open connections nobody is using.
    #[must_use]
    pub fn idle_connections(&self) -> u32 {
        self.inner.state().idle_connections
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("state", &self.inner.state())
            .finish()
    }
}

/// How long a server may be silent before its connections are given up.
const SILENCE: Duration = Duration::from_secs(30);

/// Has a server noticed that vanished without a word, which otherwise takes from
/// a quarter of an hour to for ever.
fn notice_silence(login: &mut tokio_postgres::Config) {
    if login.get_tcp_user_timeout().is_none() {
        login.tcp_user_timeout(SILENCE);
    }
    login.keepalives_idle(SILENCE.min(login.get_keepalives_idle()));
    if login.get_keepalives_interval().is_none() {
        login.keepalives_interval(SILENCE / 6);
    }
    if login.get_keepalives_retries().is_none() {
        login.keepalives_retries(6);
    }
}

/// Opens sessions and decides which are used again. Our own rather than
/// diesel-async's, because the rule of reuse is ours and no checkout may cost a
/// round trip.
#[derive(Debug)]
pub struct SessionManager {
    login: tokio_postgres::Config,
    wait: Duration,
    prepared_statements: bool,
    /// Shared with other pools; without one a pool's own size is all.
    budget: Option<Arc<Budget>>,
    /// How many places of the budget this pool has.
    open: Arc<AtomicUsize>,
}

impl SessionManager {
    /// The server that it connects to, to tell servers apart.
    fn server(&self) -> (String, u16) {
        let port = self.login.get_ports().first().copied();
        (
            format!("{:?}", self.login.get_hosts()),
            port.unwrap_or_default(),
        )
    }
}

impl bb8::ManageConnection for SessionManager {
    type Connection = Session;
    type Error = ConnectionError;

    async fn connect(&self) -> Result<Session, ConnectionError> {
        let (place, _leave) = match &self.budget {
            Some(budget) => {
                let claim = budget.claim(self.server(), self.wait, &self.open).await;
                let (place, leave) = claim.ok_or_else(|| {
                    ConnectionError::BadConnection(
                        "all connections of the budget are in use".to_owned(),
                    )
                })?;
                let place = Place::new(place, Arc::clone(&self.open));
                (Some(place), Some(leave))
            }
            None => (None, None),
        };
        let open = Session::open(&self.login, self.prepared_statements, place);
        // A server that takes connections and says nothing must hold up nobody
        // for longer.
        tokio::time::timeout(self.wait, open)
            .await
            .map_err(|_| ConnectionError::BadConnection("the server does not answer".to_owned()))?
    }

    /// Asked on checkout: a session whose server went away while it lay in the
    /// pool is told without asking the server.
    async fn is_valid(&self, session: &mut Session) -> Result<(), ConnectionError> {
        if session.is_closed() {
            return Err(ConnectionError::BadConnection(
                "the server closed the connection".into(),
            ));
        }
        Ok(())
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        // Last, as it promises the place to somebody.
        let wanted_elsewhere = |budget: &Arc<Budget>| budget.wants_returning();
        std::thread::panicking()
            || !session.is_clean()
            || self.budget.as_ref().is_some_and(wanted_elsewhere)
    }
}

#[derive(Debug, Clone, Copy)]
struct LogErrors;

impl bb8::ErrorSink<ConnectionError> for LogErrors {
    fn sink(&self, error: ConnectionError) {
        tracing::warn!(%error, "a database connection failed");
    }

    fn boxed_clone(&self) -> Box<dyn bb8::ErrorSink<ConnectionError>> {
        Box::new(*self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_server_is_noticed_and_a_login_that_says_when_is_heeded() {
        let mut login = tokio_postgres::Config::new();
        notice_silence(&mut login);
        assert_eq!(login.get_tcp_user_timeout(), Some(&SILENCE));
        assert_eq!(login.get_keepalives_idle(), SILENCE);
        let (sooner, later) = (SILENCE / 3, SILENCE * 3);
        login.tcp_user_timeout(later).keepalives_idle(sooner);
        notice_silence(&mut login);
        assert_eq!(login.get_tcp_user_timeout(), Some(&later));
        assert_eq!(login.get_keepalives_idle(), sooner);
    }
}
