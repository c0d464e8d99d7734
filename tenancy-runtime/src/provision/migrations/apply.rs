//! Migrations in one place, each with its entry in the ledger or not at all.

use diesel::result::Error as DieselError;
use diesel::sql_types::{Array, Text};
use diesel_async::RunQueryDsl as _;

use super::Migration;
use super::functions::{PLACE_LAYOUT, PLACE_ROLE, PLACE_SCHEMA, STAND_INS};
use super::ledger::{self, Ledger};
use crate::db::{Pool, Transaction, qualify, redirect_references, referenced_tables};
use crate::error::{Error, Result};
use crate::isolation::Scope;
use crate::model::{Layout, ROLL, quoted};
use crate::provision::Tables;
use crate::tenant::SchemaName;

/// Applies what is pending at `layout`, in the transaction in which the place is
/// made.
pub(in crate::provision) async fn apply_all(
    tables: &Tables,
    transaction: &mut Transaction,
    layout: Layout<'_>,
) -> Result<()> {
    if tables.migrations().is_empty() {
        return Ok(());
    }
    let ledger = Ledger::open(transaction, schema_of(layout), tables.app_role()).await?;
    for migration in ledger.pending(tables.migrations())? {
        run(tables, transaction, layout, migration).await?;
        ledger.enter(transaction, migration).await?;
    }
    Ok(())
}

/// Applies what is pending at `layout` in the database of `owner`, one
/// transaction for each migration, so that a second call continues where this
/// one fails. Returns how many it applied.
pub(super) async fn catch_up(tables: &Tables, owner: &Pool, layout: Layout<'_>) -> Result<usize> {
    let mut applied = 0;
    loop {
        let mut transaction = owner.begin().await?;
        match apply_next(tables, &mut transaction, layout).await {
            Ok(did) => {
                transaction.commit().await?;
                if !did {
                    return Ok(applied);
                }
                applied += 1;
            }
            Err(error) => {
                // The first error says more; unless this ends well the
                // connection is closed, which rolls back as well.
                let _ = transaction.rollback().await;
                return Err(error);
            }
        }
    }
}

async fn apply_next(
    tables: &Tables,
    transaction: &mut Transaction,
    layout: Layout<'_>,
) -> Result<bool> {
    let ledger = Ledger::open(transaction, schema_of(layout), tables.app_role()).await?;
    let pending = ledger.pending(tables.migrations())?;
    let Some(migration) = pending.into_iter().next() else {
        return Ok(false);
    };
    run(tables, transaction, layout, migration).await?;
    ledger.enter(transaction, migration).await?;
    Ok(true)
}

/// Runs one migration's text, and protects what is there afterwards.
async fn run(
    tables: &Tables,
    transaction: &mut Transaction,
    layout: Layout<'_>,
    migration: &Migration,
) -> Result<()> {
    // Whatever the text sets for its session.
    transaction.taint();
    let outcome = run_text(tables, transaction, layout, migration).await;
    outcome.map_err(|error| {
        let said = told(&error);
        match Error::from(error) {
            away @ Error::Unavailable(_) => away,
            _ => Error::internal(format!(
                "the migration `{migration}` failed and was rolled back: {said}"
            )),
        }
    })?;
    tables.admit_system_to(transaction, layout).await
}

async fn run_text(
    tables: &Tables,
    transaction: &mut Transaction,
    layout: Layout<'_>,
    migration: &Migration,
) -> diesel::QueryResult<()> {
    let own = schema_of(layout);
    let word = match layout {
        Layout::Shared(_) => "shared",
        Layout::Dedicated { .. } => "dedicated",
    };
    let conn = transaction.conn();
    diesel::sql_query(
        "SELECT set_config($1, $2, true), set_config($3, $4, true), set_config($5, $6, true)",
    )
    .bind::<Text, _>(PLACE_SCHEMA)
    .bind::<Text, _>(own.as_str())
    .bind::<Text, _>(PLACE_LAYOUT)
    .bind::<Text, _>(word)
    .bind::<Text, _>(PLACE_ROLE)
    .bind::<Text, _>(tables.app_role())
    .execute(conn)
    .await?;
    let referred = referenced_tables(migration.sql);
    let stand_ins = if referred.is_empty() {
        referred
    } else {
        stand_ins(transaction, referred).await?
    };
    let text = redirect_references(migration.sql, &stand_ins, &quoted(STAND_INS));
    let scope = Scope::of_schemas(own, tables.shared_schema());
    let exempt: Vec<&str> = tables
        .shared_models()
        .chain([ledger::TABLE, ROLL])
        .collect();
    diesel::sql_query("SELECT tenancy.migrate($1, $2)")
        .bind::<Text, _>(qualify(&text, &scope).sql)
        .bind::<Array<Text>, _>(exempt)
        .execute(transaction.conn())
        .await?;
    Ok(())
}

/// Which of `tables` have a stand-in from now on.
async fn stand_ins(
    transaction: &mut Transaction,
    tables: Vec<String>,
) -> diesel::QueryResult<Vec<String>> {
    #[derive(diesel::QueryableByName)]
    struct Made {
        #[diesel(sql_type = Array<Text>)]
        made: Vec<String>,
    }
    let made: Made = diesel::sql_query("SELECT tenancy.stand_in($1) AS made")
        .bind::<Array<Text>, _>(tables)
        .get_result(transaction.conn())
        .await?;
    Ok(made.made)
}

fn schema_of(layout: Layout<'_>) -> &SchemaName {
    match layout {
        Layout::Shared(schema) | Layout::Dedicated { own: schema, .. } => schema,
    }
}

/// All that PostgreSQL said. It goes to those who run migrations, not to clients.
fn told(error: &DieselError) -> String {
    let mut told = error.to_string();
    if let DieselError::DatabaseError(_, information) = error {
        for more in [information.details(), information.hint()]
            .into_iter()
            .flatten()
        {
            told = format!("{told} ({more})");
        }
    }
    told
}
