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
//! the next start has it dropped.

mod list;

use std::sync::Arc;
use std::time::Duration;

use diesel_async::SimpleAsyncConnection as _;
use tokio::sync::Notify;
use uuid::Uuid;

use super::{Provisioner, Tables};
use crate::db::Transaction;
use crate::error::{Error, Result};
use crate::isolation::Strategy;
use crate::tenant::{Locator, NewTenant, TenantId, TenantRecord};
use list::{Listed, State};

/// How long a place that another process has taken stays unreplaced.
const EVERY: Duration = Duration::from_secs(10);

/// How many places are kept ready for each strategy that has places of its own.
#[derive(Debug, Clone, Default)]
pub(super) struct Standby {
    size: u32,
    taken: Arc<Notify>,
}

impl Provisioner {
    /// Keeps so many places ready for each strategy of the isolation that gives
    /// tenants one of their own. [`refill`](Self::refill) makes them; an
    /// application that serves does so by itself, beside its requests.
    #[must_use]
    pub fn standby(mut self, size: u32) -> Self {
        self.standby.size = size;
        self
    }

    /// Makes places until as many are ready as [`standby`](Self::standby) says.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] when the owner's login is not configured or a
    /// server is away, and those of the database.
    pub async fn refill(&self) -> Result<()> {
        let Some((isolation, tables)) = &self.data else {
            return Ok(());
        };
        for strategy in isolation.strategies() {
            let shape = tables.shape(strategy);
            match strategy {
                Strategy::Rls => {}
                Strategy::Schema => while self.make_schema(tables, &shape).await? {},
                Strategy::Database => {
                    // Those first that somebody has left half-made.
                    for id in in_state(tables, State::Making, Some(&shape)).await? {
                        make_database(tables, id).await?;
                    }
                    while let Some(id) = self.enter_database(tables, &shape).await? {
                        make_database(tables, id).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Gives a new tenant a place that is ready, if there is one.
    pub(super) async fn provision_from_standby(
        &self,
        tables: &Tables,
        new: &NewTenant,
        strategy: Strategy,
    ) -> Result<Option<TenantRecord>> {
        if self.standby.size == 0 || strategy == Strategy::Rls {
            return Ok(None);
        }
        let mut transaction = tables.owner()?.begin().await?;
        let Some(place) = list::take(&mut transaction, &tables.shape(strategy)).await? else {
            transaction.rollback().await?;
            return Ok(None);
        };
        let refused = match self.move_in(tables, &mut transaction, new, &place).await {
            Ok(record) => {
                transaction.commit().await?;
                self.standby.taken.notify_one();
                return Ok(Some(record));
            }
            Err(refused) => refused,
        };
        transaction.rollback().await?;
        // The slug is taken, say: without a place on standby it is refused too.
        if !matches!(refused, Error::Conflict(_)) {
            tracing::warn!(place = %place.id, error = %refused, "standby that is of no use");
            let mut transaction = tables.owner()?.begin().await?;
            list::set(&mut transaction, place.id, State::Dropping).await?;
            transaction.commit().await?;
        }
        Ok(None)
    }

    async fn move_in(
        &self,
        tables: &Tables,
        transaction: &mut Transaction,
        new: &NewTenant,
        place: &Listed,
    ) -> Result<TenantRecord> {
        let record = TenantRecord::new(place.tenant_id()?, new.clone(), Some(place.locator()?));
        self.registry
            .insert(&record, self.max_tenants, Some(transaction))
            .await?;
        if let Some(Locator::Database(address, schema)) = &record.locator
            && tables.shared_models().next().is_some()
        {
            // Rows that all tenants read may have changed since they were copied.
            tables
                .fill_database(transaction, address, schema, false)
                .await?;
        }
        Ok(record)
    }

    /// Makes one more schema, if there are too few.
    async fn make_schema(&self, tables: &Tables, shape: &str) -> Result<bool> {
        let id = TenantId::generate();
        let locator = Locator::dedicated_schema(id);
        let mut transaction = tables.owner()?.begin().await?;
        let place = (id, &locator);
        let due = list::enter(
            &mut transaction,
            self.standby.size,
            place,
            shape,
            State::Ready,
        )
        .await?;
        if due {
            tables
                .create_dedicated(&mut transaction, locator.schema())
                .await?;
        }
        transaction.commit().await?;
        Ok(due)
    }

    /// Lists one more database that is to be made, if there are too few.
    async fn enter_database(&self, tables: &Tables, shape: &str) -> Result<Option<Uuid>> {
        let id = TenantId::generate();
        let locator = tables.databases()?.place_for(id)?;
        let mut transaction = tables.owner()?.begin().await?;
        let place = (id, &locator);
        let due = list::enter(
            &mut transaction,
            self.standby.size,
            place,
            shape,
            State::Making,
        )
        .await?;
        transaction.commit().await?;
        Ok(due.then(|| id.as_uuid()))
    }

    /// Has dropped, by [`tend_standby`](Self::tend_standby), what new tenants
    /// would not get or what is too much. Whether there is anything to tend.
    pub(crate) async fn set_standby_aside(&self) -> Result<bool> {
        let Some((isolation, tables)) = &self.data else {
            return Ok(false);
        };
        let strategies = isolation.strategies().into_iter();
        let shapes = strategies.map(|strategy| tables.shape(strategy)).collect();
        let mut transaction = tables.owner()?.begin().await?;
        if !list::is_there(&mut transaction).await? {
            transaction.commit().await?;
            return Ok(false);
        }
        let left = list::set_aside(&mut transaction, shapes, self.standby.size).await?;
        transaction.commit().await?;
        Ok(self.standby.size > 0 || left > 0)
    }

    /// Keeps places ready until it is dropped, and drops those set aside. Without
    /// any to keep it ends when that is done.
    pub(crate) async fn tend_standby(self) {
        loop {
            if let Err(error) = self.drop_set_aside().await {
                tracing::warn!(%error, "standby that is of no use could not be dropped");
            }
            if self.standby.size == 0 {
                return;
            }
            if let Err(error) = self.refill().await {
                tracing::warn!(%error, "standby could not be filled up");
            }
            tokio::select! {
                () = self.standby.taken.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Tries all, and returns the first that failed.
    async fn drop_set_aside(&self) -> Result<()> {
        let Some((_, tables)) = &self.data else {
            return Ok(());
        };
        let mut outcome = Ok(());
        for id in in_state(tables, State::Dropping, None).await? {
            outcome = outcome.and(drop_place(tables, id).await);
        }
        outcome
    }
}

async fn in_state(tables: &Tables, state: State, shape: Option<&str>) -> Result<Vec<Uuid>> {
    let mut transaction = tables.owner()?.begin().await?;
    let all = list::in_state(&mut transaction, state, shape).await?;
    transaction.commit().await?;
    Ok(all)
}

/// Makes a database that is listed, unless somebody else does.
async fn make_database(tables: &Tables, id: Uuid) -> Result<()> {
    let mut transaction = tables.owner()?.begin().await?;
    if let Some(place) = list::lock(&mut transaction, id, State::Making).await?
        && let Locator::Database(address, schema) = place.locator()?
    {
        tables.databases()?.create(&address).await?;
        tables
            .fill_database(&mut transaction, &address, &schema, true)
            .await?;
        list::set(&mut transaction, id, State::Ready).await?;
    }
    transaction.commit().await
}

/// Drops a place that is set aside, unless somebody else does.
async fn drop_place(tables: &Tables, id: Uuid) -> Result<()> {
    let mut transaction = tables.owner()?.begin().await?;
    if let Some(place) = list::lock(&mut transaction, id, State::Dropping).await? {
        match place.locator()? {
            Locator::Schema(schema) => {
                let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", schema.quoted());
                transaction.conn().batch_execute(&sql).await?;
            }
            Locator::Database(address, _) => {
                let databases = tables.databases()?;
                databases.drop(&address, tables.app_role()).await?;
            }
            Locator::Shared(_) => {}
        }
        list::strike(&mut transaction, id).await?;
    }
    transaction.commit().await
}
