use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;

use super::budget::Budget;
use super::login::DatabaseLogin;
use super::own_logins::LoginStore;
use super::pool::{Pool, PoolSettings, PooledSession};
use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::tenant::{DatabaseAddress, SchemaName};

/// The longest time between two looks for pools that nobody used.
const ROUND: Duration = Duration::from_secs(30);

/// After which time without use a pool's only connection may go to a pool that
/// has one and wants another.
const SPARE: Duration = Duration::from_secs(1);

/// How the databases of tenants are pooled.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DatabasesSettings {
    /// The application role's login.
    pub login: DatabaseLogin,
    /// The most connections to one database.
    pub size: u32,
    /// The most connections to all of them together.
    pub max_connections: u32,
    /// How long a request waits for a connection before it is refused.
    pub wait: Duration,
    /// After which time without use a connection is closed.
    pub idle: Duration,
    /// As in [`PoolSettings`].
    pub prepared_statements: bool,
}

impl DatabasesSettings {
    /// The usual settings of a login: 4 connections to one database, 50 to all,
    /// 5 seconds of waiting, and 5 minutes without use.
    #[must_use]
    pub fn new(login: DatabaseLogin) -> Self {
        Self {
            login,
            size: 4,
            max_connections: 50,
            wait: Duration::from_secs(5),
            idle: Duration::from_secs(300),
            prepared_statements: true,
        }
    }
}

/// Proves that a database is as it must be before the first tenant's statement
/// goes there: given the application role's pool, the tenant's schema, and the
/// name of that role where it is the tenant's own.
pub type Prove =
    Arc<dyn Fn(Pool, SchemaName, Option<String>) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// The databases that tenants have of their own, each with a pool that is made
/// when an admitted tenant first asks for a connection, and is gone when nobody
/// has asked for a while. Cheap to clone.
#[derive(Clone)]
pub struct Databases(Arc<Inner>);

struct Inner {
    settings: DatabasesSettings,
    prove: Prove,
    own_logins: Option<Arc<dyn LoginStore>>,
    budget: Arc<Budget>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// By the database alone.
    pools: HashMap<DatabaseAddress, Used>,
    /// Whether the task runs that gives places back; it starts with the first
    /// pool, as there is no runtime to start it in before.
    tended: bool,
}

#[derive(Debug)]
struct Used {
    place: Arc<Place>,
    /// How often the tenant's own logins were changed when this was made.
    version: Option<i32>,
    last: Instant,
}

/// One database.
#[derive(Debug, Default)]
struct Place {
    entry: OnceCell<Entry>,
    proved: OnceCell<()>,
}

/// The way into it.
#[derive(Debug)]
struct Entry {
    pool: Pool,
    own_role: Option<String>,
}

impl Used {
    fn new(version: Option<i32>) -> Self {
        Self {
            place: Arc::default(),
            version,
            last: Instant::now(),
        }
    }

    fn pool(&self) -> Option<&Pool> {
        self.place.entry.get().map(|entry| &entry.pool)
    }

    fn connections(&self) -> u32 {
        self.pool().map_or(0, Pool::connections)
    }
}

impl Databases {
    /// Nothing is opened yet. Each database is proved whenever its pool is made.
    #[must_use]
    pub fn new(settings: DatabasesSettings, prove: Prove) -> Self {
        Self::with_own_logins(settings, prove, None)
    }

    /// The same, where tenants may have logins of their own.
    pub(crate) fn with_own_logins(
        settings: DatabasesSettings,
        prove: Prove,
        own_logins: Option<Arc<dyn LoginStore>>,
    ) -> Self {
        Self(Arc::new(Inner {
            budget: Budget::new(settings.max_connections),
            settings,
            prove,
            own_logins,
            open: Mutex::default(),
        }))
    }

    /// The application role's login.
    #[must_use]
    pub fn login(&self) -> &DatabaseLogin {
        &self.0.settings.login
    }

    /// Where logins are kept that tenants have of their own.
    ///
    /// # Errors
    ///
    /// [`Error::CannotStart`] where none can be.
    pub(crate) fn own_logins(&self) -> Result<&dyn LoginStore> {
        let kept = self.0.own_logins.as_deref();
        kept.ok_or_else(|| {
            Problem::new(
                "TENANCY_ENCRYPTION_KEY",
                "is not set, and logins that tenants have of their own are kept encrypted",
                "build `tenancy` with its feature `encryption`, make a key with the subcommand \
                 `secrets generate-key`, and set it to that",
            )
            .into()
        })
    }

    /// Borrows a session of the database at `address`, where the tenant has
    /// `schema`.
    pub(super) async fn get(
        &self,
        address: &DatabaseAddress,
        schema: &SchemaName,
    ) -> Result<PooledSession> {
        let place = self.place(address);
        let session = async {
            let entry = self.entry(address, &place).await?;
            let prove = async || self.prove_by(entry, schema).await;
            place.proved.get_or_try_init(prove).await?;
            entry.pool.get().await
        };
        // Of many who ask for one that does not answer each waits as long, and
        // not one after the other.
        let session = tokio::time::timeout(self.0.settings.wait, session).await;
        let session = session
            .map_err(|_| Error::unavailable("no database connection became free in time"))
            .flatten();
        if session.is_err() && address.own_logins().is_some() {
            self.doubt(address, &place);
        }
        session
    }

    /// Where nobody gets in any more, the tenant's own login may be another by now: it
    /// is read anew at the next attempt.
    fn doubt(&self, address: &DatabaseAddress, place: &Arc<Place>) {
        let (mut open, address) = (self.0.open(), address.place());
        let used = open.pools.get(&address);
        let used = used.filter(|used| Arc::ptr_eq(&used.place, place));
        if used.is_some_and(|used| used.connections() == 0) {
            open.pools.remove(&address);
        }
    }

    /// Proves the database at `address`, whether or not it was before.
    pub(crate) async fn prove(&self, address: &DatabaseAddress, schema: &SchemaName) -> Result<()> {
        let place = self.place(address);
        let entry = self.entry(address, &place).await?;
        self.prove_by(entry, schema).await
    }

    async fn prove_by(&self, entry: &Entry, schema: &SchemaName) -> Result<()> {
        let Entry { pool, own_role } = entry;
        (self.0.prove)(pool.clone(), schema.clone(), own_role.clone()).await
    }

    /// Proves the database that `pool` leads to as `own_role`, a role of the tenant's
    /// own.
    pub(crate) async fn prove_as(
        &self,
        pool: Pool,
        schema: &SchemaName,
        own_role: String,
    ) -> Result<()> {
        (self.0.prove)(pool, schema.clone(), Some(own_role)).await
    }

    fn place(&self, address: &DatabaseAddress) -> Arc<Place> {
        let mut open = self.0.open();
        if !open.tended {
            open.tended = true;
            tokio::spawn(tend(Arc::downgrade(&self.0)));
        }
        let version = address.own_logins().map(|own| own.version);
        let used = open.pools.entry(address.place());
        let used = used.or_insert_with(|| Used::new(version));
        // Whose handle is older than the last change is led to those who know of it.
        if used.version < version {
            *used = Used::new(version);
        }
        used.last = Instant::now();
        Arc::clone(&used.place)
    }

    /// The way in, which is found at the first use.
    async fn entry<'a>(&self, address: &DatabaseAddress, place: &'a Place) -> Result<&'a Entry> {
        let found = async || {
            let Some(own) = address.own_logins() else {
                let pool = self.0.new_pool(self.login().to(address));
                let own_role = None;
                return Ok(Entry { pool, own_role });
            };
            let login = self.own_logins()?.app(own.tenant).await?;
            Ok(Entry {
                pool: self.0.new_pool(login.to(address)),
                own_role: login.role().map(str::to_owned),
            })
        };
        place.entry.get_or_try_init(found).await
    }

    /// Closes the pool of the database at `address`: its idle connections now,
    /// and those in use when they come back.
    pub(crate) fn close(&self, address: &DatabaseAddress) {
        self.0.open().pools.remove(&address.place());
    }

    /// How many databases have a pool.
    #[must_use]
    pub fn pools(&self) -> usize {
        self.0.open().pools.len()
    }

    /// How many connections are open, in use or idle.
    #[must_use]
    pub fn connections(&self) -> u32 {
        let open = self.0.open();
        open.pools.values().map(Used::connections).sum()
    }
}

impl Inner {
    fn open(&self) -> MutexGuard<'_, Open> {
        // Nothing under the lock can leave it half changed.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new_pool(&self, login: tokio_postgres::Config) -> Pool {
        let settings = &self.settings;
        Pool::within(
            PoolSettings {
                login,
                size: settings.size.min(settings.max_connections),
                wait: settings.wait,
                prepared_statements: settings.prepared_statements,
            },
            Arc::clone(&self.budget),
            settings.idle,
        )
    }

    /// Closes idle connections until a place is promised to each who waits. First
    /// where there are several, as a pool without any opens one at its next use;
    /// of those that are alike, where the pool was used longest ago.
    fn give_up_idle(&self) {
        while self.budget.promise() {
            if !self.give_up_one(|_, _| true) {
                self.budget.take_back();
                return;
            }
        }
        if self.budget.is_growth_wanted() {
            self.give_up_one(|idle, last| idle > 1 || last.elapsed() > SPARE);
        }
    }

    /// Closes an idle connection of a pool that is `spare`: judged by how many
    /// idle ones it has, and when it was last used.
    fn give_up_one(&self, spare: impl Fn(u32, Instant) -> bool) -> bool {
        let mut pools: Vec<_> = {
            let open = self.open();
            let all = open.pools.values();
            let all = all.filter_map(|used| Some((used.pool()?, used.last)));
            let all = all.map(|(pool, last)| (pool.idle_connections(), last, pool));
            let idle = all.filter(|(idle, last, _)| *idle > 0 && spare(*idle, *last));
            idle.map(|(idle, last, pool)| (idle < 2, last, pool.clone()))
                .collect()
        };
        pools.sort_by_key(|(few, last, _)| (*few, *last));
        for (_, _, pool) in pools {
            // An idle connection is had at once; if somebody else was faster
            // there is one that comes back.
            if let Some(Ok(mut session)) = pool.get().now_or_never() {
                session.state.taint();
                return true;
            }
        }
        false
    }

    /// Forgets the pools that have no connection and that nobody asked for.
    fn forget_unused(&self) {
        let idle = self.settings.idle;
        let unused = |used: &Used| used.last.elapsed() > idle && used.connections() == 0;
        self.open().pools.retain(|_, used| !unused(used));
    }
}

/// Gives places back while somebody waits for them, and pools that are not used.
async fn tend(databases: Weak<Inner>) {
    loop {
        let Some(inner) = databases.upgrade() else {
            return;
        };
        let (budget, round) = (Arc::clone(&inner.budget), inner.settings.idle.min(ROUND));
        drop(inner);
        budget.wanted(round).await;
        let Some(inner) = databases.upgrade() else {
            return;
        };
        inner.give_up_idle();
        inner.forget_unused();
    }
}

impl std::fmt::Debug for Databases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Databases")
            .field("pools", &self.pools())
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}
