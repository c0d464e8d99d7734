//! Which migrations a place has: a table in its own schema, so that it comes,
//! changes and goes with what it tells of. The application has no rights on it.

use std::collections::BTreeMap;

use diesel::sql_types::{Bool, Text};
use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};
use sha2::{Digest as _, Sha256};

use super::Migration;
use super::declared::number;
use crate::db::Transaction;
use crate::error::{Error, Result};
use crate::model::quoted;
use crate::tenant::SchemaName;

/// The table's name in every place.
pub(in crate::provision) const TABLE: &str = "tenancy_migrations";

/// What a place's ledger says.
pub(super) struct Ledger {
    table: String,
    /// Version to entry.
    applied: BTreeMap<String, Applied>,
}

#[derive(diesel::QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    checksum: String,
}

impl Ledger {
    /// Reads the ledger in `schema`, and makes it if there is none. Until the
    /// transaction ends nobody else does.
    pub(super) async fn open(
        transaction: &mut Transaction,
        schema: &SchemaName,
        app_role: &str,
    ) -> Result<Self> {
        #[derive(diesel::QueryableByName)]
        struct There {
            #[diesel(sql_type = Bool)]
            there: bool,
        }
        let table = format!("{}.{}", schema.quoted(), quoted(TABLE));
        let conn = transaction.conn();
        diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind::<Text, _>(format!("tenancy.place.{schema}"))
            .execute(conn)
            .await?;
        // After the lock: another may have made it meanwhile.
        let found: There = diesel::sql_query("SELECT to_regclass($1) IS NOT NULL AS there")
            .bind::<Text, _>(&table)
            .get_result(conn)
            .await?;
        if !found.there {
            conn.batch_execute(&format!(
                "CREATE TABLE {table} (
                     version text PRIMARY KEY,
                     name text NOT NULL,
                     checksum text NOT NULL,
                     applied_at timestamptz NOT NULL DEFAULT now()
                 );
                 REVOKE ALL ON {table} FROM PUBLIC, {}",
                quoted(app_role)
            ))
            .await?;
        }
        let sql = format!("SELECT version, name, checksum FROM {table}");
        let rows: Vec<Applied> = diesel::sql_query(sql).load(conn).await?;
        let rows = rows.into_iter().map(|row| (row.version.clone(), row));
        Ok(Self {
            table,
            applied: rows.collect(),
        })
    }

    /// The migrations of `all` that the place does not have, in order.
    ///
    /// # Errors
    ///
    /// By name, when it has one that `all` does not have or has with another
    /// text.
    pub(super) fn pending(&self, all: &'static [Migration]) -> Result<Vec<&'static Migration>> {
        let mut unknown = self.applied.values().filter(|applied| {
            let same = |migration: &Migration| migration.version == applied.version;
            !all.iter().any(same)
        });
        if let Some(applied) = unknown.next() {
            let Applied { version, name, .. } = applied;
            let newer = all
                .last()
                .is_none_or(|last| number(version) > number(last.version));
            let whose = if newer { "a newer" } else { "another" };
            return Err(Error::internal(format!(
                "the migration `{version}_{name}` has run here and this application has none of \
                 that version: {whose} one has been here. Deploy that, or bring the migration back"
            )));
        }
        let mut pending = Vec::new();
        for migration in all {
            match self.applied.get(migration.version) {
                None => pending.push(migration),
                Some(applied) if applied.checksum == checksum(migration.sql) => {}
                Some(_) => {
                    return Err(Error::internal(format!(
                        "the text of the migration `{migration}` has changed since it ran here. \
                         Bring the old text back, and write a new migration for the change"
                    )));
                }
            }
        }
        Ok(pending)
    }

    /// Enters a migration that has run in this transaction.
    pub(super) async fn enter(
        &self,
        transaction: &mut Transaction,
        migration: &Migration,
    ) -> Result<()> {
        let sql = format!(
            "INSERT INTO {} (version, name, checksum) VALUES ($1, $2, $3)",
            self.table
        );
        diesel::sql_query(sql)
            .bind::<Text, _>(migration.version)
            .bind::<Text, _>(migration.name)
            .bind::<Text, _>(checksum(migration.sql))
            .execute(transaction.conn())
            .await?;
        Ok(())
    }
}

/// SHA-256 in hexadecimal, the same whichever way lines end: Git may change that.
fn checksum(sql: &str) -> String {
    let digest = Sha256::digest(sql.replace("\r\n", "\n"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_of_the_text_and_not_of_its_line_ends() {
        assert_eq!(checksum("a\r\nb"), checksum("a\nb"));
        assert_ne!(checksum("a b"), checksum("a\nb"));
        assert_eq!(
            checksum("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
