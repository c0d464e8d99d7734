//! The end of a tenant: its data is removed, and a receipt says what it was.
//!
//! Requests that were admitted before may still run. In the shared tables the
//! tenant is taken off their roll in the same transaction that deletes its rows:
//! PostgreSQL waits for writers that came before, and refuses those that come
//! after. A schema or a database is gone for both.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::Utc;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::database::State;
use super::{Provisioner, Tables, detached, patiently};
use crate::db::Transaction;
use crate::error::{Error, Result};
use crate::isolation::rls;
use crate::model::{ROLL, quoted};
use crate::tenant::{DatabaseAddress, Locator, Receipt, SchemaName, Slug, TenantId, TenantRecord};

/// How long running requests may hold up the removal of tables.
const PATIENCE: &str = "SET LOCAL lock_timeout = '10s'";

/// How often a removal is tried that PostgreSQL ended because it and a running
/// request waited for each other.
const ATTEMPTS: u32 = 5;

impl Provisioner {
    /// Removes all data of a deleted tenant and frees its slug; there is no way
    /// back. The receipt says what was removed; asked again for the same slug,
    /// it is the same one. The work goes on when the caller is gone.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is and was no such tenant,
    /// [`Error::Conflict`] when it is not deleted, [`Error::PlaceTaken`] when its
    /// database belongs to another role, [`Error::Unavailable`] when its server is
    /// away or its tables stay in use: then it remains `destroying`, and
    /// destroying it again goes on.
    pub async fn destroy(&self, slug: &Slug) -> Result<Receipt> {
        let (this, slug) = (self.clone(), slug.clone());
        let receipt = detached(async move {
            match this.change(&slug, TenantRecord::destroy).await {
                Ok(record) => Box::pin(this.erase(record)).await,
                Err(Error::NotFound) => this.receipt(&slug).await,
                Err(error) => Err(error),
            }
        });
        let receipt = receipt.await?;
        tracing::info!(tenant = %receipt.slug, rows = ?receipt.rows, "destroyed");
        Ok(receipt)
    }

    /// The receipt of the last tenant of this slug that was destroyed.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there was none.
    pub async fn receipt(&self, slug: &Slug) -> Result<Receipt> {
        let receipt = self.registry.receipt(slug).await?;
        let receipt = receipt.filter(|receipt| self.is_for(receipt.id));
        receipt.ok_or(Error::NotFound)
    }

    pub(super) async fn erase(&self, record: TenantRecord) -> Result<Receipt> {
        for attempt in 1.. {
            match self.try_erase(&record).await {
                // Each waited for the other, and PostgreSQL chose us to give way.
                Err(Error::Unavailable(cause))
                    if attempt < ATTEMPTS && cause.to_string().contains("deadlock detected") =>
                {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                outcome => return outcome,
            }
        }
        Err(Error::internal("the attempts have no end"))
    }

    async fn try_erase(&self, record: &TenantRecord) -> Result<Receipt> {
        let tables = match &self.data {
            Some((_, tables)) => Some(tables.of(record).await?),
            None => None,
        };
        if let (Some(tables), Some(Locator::Database(address, schema))) = (&tables, &record.locator)
        {
            // In a transaction of its own, so that the counts outlive a crash
            // between the end of the database and the end of the entry.
            self.locked(record, async |transaction| {
                let rows = patiently(address, count_database(tables, address, schema)).await?;
                let draft = receipt_of(record, rows);
                self.registry.draft(&draft, transaction).await
            })
            .await?;
        }
        self.locked(record, async |mut transaction| {
            let rows = match (&tables, &mut transaction, &record.locator) {
                (Some(tables), Some(transaction), Some(locator)) => {
                    remove(tables, transaction, record.id, locator).await?
                }
                _ => BTreeMap::new(),
            };
            let receipt = receipt_of(record, rows);
            self.registry
                .remove(record.id, Some(&receipt), transaction)
                .await
        })
        .await?;
        self.changed(&record.slug).await;
        self.receipt(&record.slug).await
    }

    /// Does a step with the entry locked, unless somebody else has finished.
    async fn locked(
        &self,
        record: &TenantRecord,
        step: impl AsyncFnOnce(Option<&mut Transaction>) -> Result<()>,
    ) -> Result<()> {
        let mut transaction = self.transaction().await?;
        let locked = self
            .registry
            .lock(&record.slug, transaction.as_mut())
            .await?;
        if locked.is_some_and(|locked| locked.id == record.id) {
            step(transaction.as_mut()).await?;
        }
        match transaction {
            Some(transaction) => transaction.commit().await,
            None => Ok(()),
        }
    }
}

fn receipt_of(record: &TenantRecord, rows: Counts) -> Receipt {
    Receipt {
        id: record.id,
        slug: record.slug.clone(),
        isolation_strategy: record.strategy(),
        dropped: record.locator.as_ref().and_then(Locator::own_place),
        rows,
        // Counted by the registry, which keeps them.
        secrets: 0,
        destroyed_at: Utc::now(),
    }
}

type Counts = BTreeMap<String, u64>;

async fn remove(
    tables: &Tables,
    transaction: &mut Transaction,
    id: TenantId,
    locator: &Locator,
) -> Result<Counts> {
    let conn = transaction.conn();
    match locator {
        Locator::Shared(schema) => delete_rows(conn, schema, id).await,
        Locator::Schema(schema) => drop_schema(conn, schema).await,
        Locator::Database(address, _) => {
            patiently(address, tables.databases()?.drop(address)).await?;
            Ok(Counts::new())
        }
    }
}

/// Deletes a tenant's rows from every table that refers to the roll.
async fn delete_rows(
    conn: &mut AsyncPgConnection,
    shared: &SchemaName,
    id: TenantId,
) -> Result<Counts> {
    let (shared, id) = (shared.quoted(), id.as_uuid());
    // The owner is held by row-level security as well, and sees no rows unless
    // it says whose. Who writes one holds on to the roll until its transaction
    // ends, so with the roll in hand nobody is writing.
    conn.batch_execute(&format!(
        "{PATIENCE}; SELECT set_config('{}', '{id}', true); \
         SELECT FROM {shared}.{ROLL} WHERE {} = '{id}' FOR UPDATE",
        rls::SETTING,
        rls::COLUMN
    ))
    .await?;
    let tables = listed(
        conn,
        &format!(
            "SELECT c.relname::text AS name FROM pg_catalog.pg_constraint k \
             JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
             WHERE k.contype = 'f' AND k.confrelid = '{shared}.{ROLL}'::regclass ORDER BY 1"
        ),
    )
    .await?;
    // One statement for all tables: they may refer to each other, and keys are
    // checked when the statement ends.
    let deletes = tables.iter().enumerate().map(|(number, table)| {
        format!(
            "d{number} AS (DELETE FROM {shared}.{} WHERE {} = '{id}' RETURNING 1)",
            quoted(table),
            rls::COLUMN
        )
    });
    let deletes: Vec<String> = deletes.collect();
    let counts = match deletes.as_slice() {
        [] => Counts::new(),
        deletes => {
            let from = |number: usize| format!("d{number}");
            let sql = format!("WITH {} {}", deletes.join(", "), counts_of(&tables, &from));
            counted(conn, &sql).await?
        }
    };
    conn.batch_execute(&format!(
        "DELETE FROM {shared}.{ROLL} WHERE {} = '{id}'",
        rls::COLUMN
    ))
    .await?;
    Ok(counts)
}

async fn drop_schema(conn: &mut AsyncPgConnection, schema: &SchemaName) -> Result<Counts> {
    conn.batch_execute(PATIENCE).await?;
    let counts = count_rows(conn, schema).await?;
    let drop = format!("DROP SCHEMA IF EXISTS {} CASCADE", schema.quoted());
    conn.batch_execute(&drop).await?;
    Ok(counts)
}

/// Lets nobody into a tenant's database any more, and counts its rows.
async fn count_database(
    tables: &Tables,
    address: &DatabaseAddress,
    schema: &SchemaName,
) -> Result<Counts> {
    let databases = tables.databases()?;
    if databases.state(address).await? != State::Whole {
        // Then it has been counted before.
        return Ok(Counts::new());
    }
    databases.shut(address).await?;
    let mut transaction = databases.open(address)?.begin().await?;
    let counts = count_rows(transaction.conn(), schema).await?;
    transaction.rollback().await?;
    Ok(counts)
}

/// Counts the rows of every table in a schema, which nobody writes any more.
async fn count_rows(conn: &mut AsyncPgConnection, schema: &SchemaName) -> Result<Counts> {
    let tables = listed(
        conn,
        &format!(
            "SELECT c.relname::text AS name FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = '{schema}' AND c.relkind IN ('r', 'p') ORDER BY 1"
        ),
    )
    .await?;
    if tables.is_empty() {
        return Ok(Counts::new());
    }
    let names = tables.iter();
    let names = names.map(|table| format!("{}.{}", schema.quoted(), quoted(table)));
    let names: Vec<String> = names.collect();
    conn.batch_execute(&format!(
        "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE",
        names.join(", ")
    ))
    .await?;
    let from = |number: usize| names[number].clone();
    counted(conn, &counts_of(&tables, &from)).await
}

/// A query for the number of rows of each table, read `from` where it says.
fn counts_of(tables: &[String], from: &dyn Fn(usize) -> String) -> String {
    let counts = tables.iter().enumerate().map(|(number, table)| {
        format!(
            "SELECT '{}' AS name, count(*) AS rows FROM {}",
            table.replace('\'', "''"),
            from(number)
        )
    });
    counts.collect::<Vec<_>>().join(" UNION ALL ")
}

async fn listed(conn: &mut AsyncPgConnection, sql: &str) -> Result<Vec<String>> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        name: String,
    }
    let rows: Vec<Row> = diesel::sql_query(sql).load(conn).await?;
    Ok(rows.into_iter().map(|row| row.name).collect())
}

async fn counted(conn: &mut AsyncPgConnection, sql: &str) -> Result<Counts> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = BigInt)]
        rows: i64,
    }
    let rows: Vec<Row> = diesel::sql_query(sql).load(conn).await?;
    let counts = rows.into_iter();
    Ok(counts
        .map(|row| (row.name, u64::try_from(row.rows).unwrap_or_default()))
        .collect())
}
