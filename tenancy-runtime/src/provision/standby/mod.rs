//! Places that are made before their tenants: schemas and databases with every
//! table and no row, so that a new tenant needs an entry and little else.
//!
//! `tenancy.standby` lists them. A place leaves the list in the transaction that
//! enters its tenant, so it is always either on standby or somebody's. A schema
//! is made and listed in one transaction; a database is listed as `making`
//! before it is made, and every place as `dropping` before it is dropped, so
//! that whoever tends next goes on after a crash.
//!
//! Each is listed with its *shape*, a digest of all that makes a place. One of
//! another version of the application has another shape: no tenant gets it, and
//! it is dropped.
//!
//! The list is in the application's own database, and a tenant's database may be
//! on another server: if the one is restored from a backup, the list may name a
//! place that has become somebody's since. So a database that a tenant gets is
//! marked as well, and one that is marked is neither given away nor dropped.

mod list;
mod place;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;

use super::{Provisioner, Tables, detached};
use crate::db::Transaction;
use crate::error::{Error, Result};
use crate::isolation::Strategy;
use crate::tenant::{Locator, NewTenant, TenantId, TenantRecord};
use list::{Listed, State};

/// How long a place that another process has taken stays unreplaced.
const EVERY: Duration = Duration::from_secs(10);

/// How old places of another shape get while processes of another version may
/// still serve, in seconds.
const OLD: i64 = 3_600;

/// How many places are kept ready for each strategy that has places of its own.
#[derive(Debug, Clone, Default)]
pub(super) struct Standby {
    size: u32,
    taken: Arc<Notify>,
    shapes: Arc<Shapes>,
}

/// The shapes of the places that one [`Provisioner`] makes. Its tables stay as they
/// are, so each is computed once.
#[derive(Debug, Default)]
struct Shapes {
    rls: OnceLock<String>,
    schema: OnceLock<String>,
    database: OnceLock<String>,
}

impl Shapes {
    fn of(&self, tables: &Tables, strategy: Strategy) -> &str {
        let shape = match strategy {
            Strategy::Rls => &self.rls,
            Strategy::Schema => &self.schema,
            Strategy::Database => &self.database,
        };
        shape.get_or_init(|| tables.shape(strategy))
    }
}

impl Provisioner {
    /// Keeps so many places ready for each strategy of the isolation that gives
    /// tenants one of their own. [`refill`](Self::refill) makes them; an
    /// application that serves does so by itself, beside its requests.
    ///
    /// A place has every table, and the rows that the application's migrations
    /// wrote when it was made. Without effect on a registry that keeps no list of
    /// them ([`TenantRegistry::keeps_standby`](crate::registry::TenantRegistry)).
    #[must_use]
    pub fn standby(mut self, size: u32) -> Self {
        self.standby.size = if self.registry.keeps_standby() {
            size
        } else {
            0
        };
        self
    }

    /// Makes places until as many are ready as [`standby`](Self::standby) says;
    /// leaves it to another process that is about it. What fails keeps no other
    /// place from being made.
    ///
    /// # Errors
    ///
    /// The first that failed: [`Error::Unavailable`] when the owner's login is not
    /// configured or a server is away, and those of the database.
    pub async fn refill(&self) -> Result<()> {
        let Some((isolation, tables)) = &self.data else {
            return Ok(());
        };
        let mut outcome = Ok(());
        for strategy in isolation.strategies() {
            let shape = self.standby.shapes.of(tables, strategy);
            let filled = match strategy {
                Strategy::Rls => Ok(()),
                Strategy::Schema => self.make_schemas(tables, shape).await,
                Strategy::Database => self.make_databases(tables, shape).await,
            };
            outcome = outcome.and(filled);
        }
        outcome
    }

    /// Gives a new tenant a place that is ready, if there is one. The work goes on
    /// when the caller is gone.
    pub(super) async fn provision_from_standby(
        &self,
        tables: &Tables,
        new: &NewTenant,
        strategy: Strategy,
    ) -> Result<Option<TenantRecord>> {
        if self.standby.size == 0 || strategy == Strategy::Rls {
            return Ok(None);
        }
        let (this, tables, new) = (self.clone(), tables.clone(), new.clone());
        detached(async move { this.take_place(&tables, new, strategy).await }).await
    }

    async fn take_place(
        &self,
        tables: &Tables,
        new: NewTenant,
        strategy: Strategy,
    ) -> Result<Option<TenantRecord>> {
        let mut transaction = tables.owner()?.begin().await?;
        let shape = self.standby.shapes.of(tables, strategy);
        let Some(taken) = list::take(&mut transaction, shape).await? else {
            transaction.rollback().await?;
            return Ok(None);
        };
        let refused = match self.move_in(tables, &mut transaction, new, &taken).await {
            Ok(record) => {
                transaction.commit().await?;
                self.standby.taken.notify_one();
                if let Some(locator) = &record.locator
                    && let Err(error) = place::mark(tables, locator).await
                {
                    tracing::warn!(tenant = %record.slug, %error, "its place is not marked");
                }
                self.arrived(&record).await;
                return Ok(Some(record));
            }
            Err(refused) => refused,
        };
        transaction.rollback().await?;
        // The slug is taken, say: without a place on standby it is refused too.
        if !matches!(refused, Error::Conflict(_)) {
            tracing::warn!(place = %taken.id, error = %refused, "standby that is of no use");
            let mut transaction = tables.owner()?.begin().await?;
            list::set(&mut transaction, taken.id, State::Dropping).await?;
            transaction.commit().await?;
        }
        Ok(None)
    }

    async fn move_in(
        &self,
        tables: &Tables,
        transaction: &mut Transaction,
        new: NewTenant,
        taken: &Listed,
    ) -> Result<TenantRecord> {
        let locator = taken.locator()?;
        // Before the entry, for which others may wait.
        place::make_up_to_date(tables, transaction, &locator).await?;
        let record = self.entry(taken.tenant_id()?, new, Some(locator))?;
        self.enter(&record, transaction).await?;
        self.limit_new(transaction, &record).await?;
        Ok(record)
    }

    async fn make_schemas(&self, tables: &Tables, shape: &str) -> Result<()> {
        loop {
            let id = TenantId::generate();
            let locator = Locator::dedicated_schema(id);
            let mut transaction = tables.owner()?.begin().await?;
            let (size, entry) = (self.standby.size, (id, &locator));
            let due = list::enter(&mut transaction, size, entry, shape, State::Ready).await?;
            if due {
                place::make_schema(tables, &mut transaction, locator.schema()).await?;
            }
            transaction.commit().await?;
            if !due {
                return Ok(());
            }
        }
    }

    async fn make_databases(&self, tables: &Tables, shape: &str) -> Result<()> {
        let mut outcome = Ok(());
        // Those first that somebody has left half-made.
        for listed in in_state(tables, State::Making, Some(shape)).await? {
            outcome = outcome.and(make_database(tables, &listed).await);
        }
        while let Some(listed) = self.enter_database(tables, shape).await? {
            make_database(tables, &listed).await?;
        }
        outcome
    }

    /// Lists one more database that is to be made, if there are too few.
    async fn enter_database(&self, tables: &Tables, shape: &str) -> Result<Option<Listed>> {
        let id = TenantId::generate();
        let locator = tables.databases()?.place_for(id)?;
        let mut transaction = tables.owner()?.begin().await?;
        let (size, entry) = (self.standby.size, (id, &locator));
        let due = list::enter(&mut transaction, size, entry, shape, State::Making).await?;
        transaction.commit().await?;
        Ok(due.then(|| Listed::new(id, &locator)))
    }

    /// Has dropped, by [`tend_standby`](Self::tend_standby), what new tenants
    /// would not get or what is too much. Whether there is anything to tend.
    pub(crate) async fn set_standby_aside(&self) -> Result<bool> {
        self.set_aside(0).await
    }

    async fn set_aside(&self, seconds: i64) -> Result<bool> {
        let Some((isolation, tables)) = &self.data else {
            return Ok(false);
        };
        if !self.registry.keeps_standby() {
            return Ok(false);
        }
        let strategies = isolation.strategies().into_iter();
        let shape = |strategy| self.standby.shapes.of(tables, strategy).to_owned();
        let shapes = strategies.map(shape).collect();
        let mut transaction = tables.owner()?.begin().await?;
        let left = list::set_aside(&mut transaction, shapes, self.standby.size, seconds).await?;
        transaction.commit().await?;
        Ok(self.standby.size > 0 || left > 0)
    }

    /// Keeps places ready until it is dropped, and drops those set aside. Without
    /// any to keep it ends when that is done.
    pub(crate) async fn tend_standby(self) {
        loop {
            let dropped = self.drop_set_aside().await;
            if let Err(error) = &dropped {
                tracing::warn!(%error, "standby that is of no use could not be dropped");
            }
            if self.standby.size == 0 && matches!(dropped, Ok(0)) {
                return;
            }
            if let Err(error) = self.refill().await {
                tracing::warn!(%error, "standby could not be filled up");
            }
            tokio::select! {
                () = self.standby.taken.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
            if let Err(error) = self.set_aside(OLD).await {
                tracing::warn!(%error, "standby could not be looked through");
            }
        }
    }

    /// Tries all, and returns how many are left, or the first failure.
    async fn drop_set_aside(&self) -> Result<usize> {
        let Some((_, tables)) = &self.data else {
            return Ok(0);
        };
        let mut outcome = Ok(());
        for listed in in_state(tables, State::Dropping, None).await? {
            outcome = outcome.and(drop_place(tables, &listed).await);
        }
        outcome?;
        Ok(in_state(tables, State::Dropping, None).await?.len())
    }
}

async fn in_state(tables: &Tables, state: State, shape: Option<&str>) -> Result<Vec<Listed>> {
    let mut transaction = tables.owner()?.begin().await?;
    let all = list::in_state(&mut transaction, state, shape).await?;
    transaction.commit().await?;
    Ok(all)
}

/// Makes a database that is listed, unless somebody else does.
async fn make_database(tables: &Tables, listed: &Listed) -> Result<()> {
    place::reach(tables, &listed.locator()?).await?;
    let mut transaction = tables.owner()?.begin().await?;
    if let Some(listed) = list::lock(&mut transaction, listed.id, State::Making).await? {
        place::make_database(tables, &mut transaction, &listed.locator()?).await?;
        list::set(&mut transaction, listed.id, State::Ready).await?;
    }
    transaction.commit().await
}

/// Drops a place that is set aside, unless somebody else does.
async fn drop_place(tables: &Tables, listed: &Listed) -> Result<()> {
    place::reach(tables, &listed.locator()?).await?;
    let mut transaction = tables.owner()?.begin().await?;
    if let Some(listed) = list::lock(&mut transaction, listed.id, State::Dropping).await? {
        let found = place::remove(tables, &mut transaction, &listed.locator()?).await?;
        list::strike(&mut transaction, listed.id, found).await?;
    }
    transaction.commit().await
}
