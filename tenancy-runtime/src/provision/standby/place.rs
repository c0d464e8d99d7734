//! The places themselves: a schema in the application's own database, or a
//! database.

use diesel::sql_types::{Bool, Text};
use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};

use crate::db::Transaction;
use crate::error::{Error, Result};
use crate::provision::Tables;
use crate::provision::database::State;
use crate::tenant::{DatabaseAddress, Locator, SchemaName};

/// How long requests that use a shared table may be in the way of a schema that
/// refers to it. Short: who waits for the table keeps new requests from it, and
/// there is a next time.
const PATIENCE: &str = "SET LOCAL lock_timeout = '1s'";

/// What is written at a schema that a tenant has got, in a database of its own.
const MARK: &str = "a tenant has this";

/// Fails where the server of a place is away, before anything is held.
pub(super) async fn reach(tables: &Tables, locator: &Locator) -> Result<()> {
    match locator {
        Locator::Database(address, _) => tables.databases()?.reach(address).await,
        Locator::Schema(_) | Locator::Shared(_) => Ok(()),
    }
}

pub(super) async fn make_schema(
    tables: &Tables,
    transaction: &mut Transaction,
    schema: &SchemaName,
) -> Result<()> {
    transaction.conn().batch_execute(PATIENCE).await?;
    tables.create_dedicated(transaction, schema).await
}

pub(super) async fn make_database(
    tables: &Tables,
    transaction: &mut Transaction,
    locator: &Locator,
) -> Result<()> {
    let Locator::Database(address, schema) = locator else {
        return Err(Error::internal("only a database is made step by step"));
    };
    tables.make_database(transaction, address, schema).await
}

/// Makes sure that a place is there and nobody's. A database gets the rows that
/// all tenants read as they are now.
pub(super) async fn make_up_to_date(
    tables: &Tables,
    transaction: &mut Transaction,
    locator: &Locator,
) -> Result<()> {
    let found = match locator {
        Locator::Database(address, schema) => {
            tables
                .fill_database(transaction, address, schema, false)
                .await?;
            in_database(tables, address, schema).await?
        }
        Locator::Schema(schema) | Locator::Shared(schema) => find(transaction, schema).await?,
    };
    match found {
        Found { there: false, .. } => Err(Error::internal("it is not there any more")),
        Found { marked: true, .. } => Err(Error::internal("a tenant has it")),
        Found { .. } => Ok(()),
    }
}

/// Notes at a database that it is a tenant's from now on.
pub(super) async fn mark(tables: &Tables, locator: &Locator) -> Result<()> {
    let Locator::Database(address, schema) = locator else {
        return Ok(());
    };
    let sql = format!("COMMENT ON SCHEMA {} IS '{MARK}'", schema.quoted());
    tables.databases()?.open(address)?.run(&sql).await
}

/// Removes a place that no tenant gets. Whether it was there.
pub(super) async fn remove(
    tables: &Tables,
    transaction: &mut Transaction,
    locator: &Locator,
) -> Result<bool> {
    match locator {
        Locator::Database(address, schema) => {
            let databases = tables.databases()?;
            let state = databases.state(address).await?;
            if state == State::Gone {
                return Ok(false);
            }
            // What is half-dropped was looked at before.
            if state == State::Whole && in_database(tables, address, schema).await?.marked {
                tracing::error!(
                    database = %address,
                    "a tenant has this database that the registry does not know: it is left alone"
                );
                return Ok(true);
            }
            databases.drop(address).await?;
        }
        Locator::Schema(schema) | Locator::Shared(schema) => {
            let drop = format!(
                "{PATIENCE}; DROP SCHEMA IF EXISTS {} CASCADE",
                schema.quoted()
            );
            transaction.conn().batch_execute(&drop).await?;
        }
    }
    Ok(true)
}

#[derive(Debug, Default, diesel::QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    there: bool,
    #[diesel(sql_type = Bool)]
    marked: bool,
}

async fn in_database(
    tables: &Tables,
    address: &DatabaseAddress,
    schema: &SchemaName,
) -> Result<Found> {
    let database = tables.databases()?.open(address)?;
    let mut transaction = database.begin().await?;
    let found = find(&mut transaction, schema).await?;
    transaction.commit().await?;
    Ok(found)
}

async fn find(transaction: &mut Transaction, schema: &SchemaName) -> Result<Found> {
    let sql = "SELECT to_regnamespace($1) IS NOT NULL AS there, \
         coalesce(obj_description(to_regnamespace($1), 'pg_namespace') = $2, false) AS marked";
    let found = diesel::sql_query(sql)
        .bind::<Text, _>(schema.as_str())
        .bind::<Text, _>(MARK)
        .get_result(transaction.conn());
    Ok(found.await?)
}
