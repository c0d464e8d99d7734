//! What holds tenants apart beside the tables of models: the registry says who
//! is where, and the roll says whose rows the shared tables take. The
//! application reads the one and has nothing to do with the other.

use diesel::sql_types::{Array, Bool, Text};

use super::Tables;
use crate::db::Pool;
use crate::error::Result;
use crate::isolation::rls;
use crate::model::{COUNTER, ROLL, ROLL_KEY, TRIGGERS, quoted};
use crate::problem::Problem;

/// What the application's role may do with the registry and the roll beyond
/// reading the tenants.
pub(super) async fn beyond(app: &Pool, tables: &Tables) -> Result<Vec<Problem>> {
    let shared = tables.shared_schema().as_str();
    let guarded = [
        ("tenancy", "tenants", true),
        ("tenancy", "receipts", false),
        ("tenancy", "migrations", false),
        ("tenancy", "standby", false),
        ("tenancy", "domains", true),
        (shared, ROLL, false),
    ];
    let rows: Vec<Beyond> = app
        .read(
            diesel::sql_query(BEYOND)
                .bind::<Array<Text>, _>(guarded.map(|(schema, ..)| schema).to_vec())
                .bind::<Array<Text>, _>(guarded.map(|(_, table, _)| table).to_vec())
                .bind::<Array<Bool>, _>(guarded.map(|(.., read)| read).to_vec())
                .bind::<Text, _>(tables.app_role()),
        )
        .await?;
    let role = quoted(tables.app_role());
    Ok(rows.iter().map(|row| row.problem(&role)).collect())
}

#[derive(diesel::QueryableByName)]
struct Beyond {
    #[diesel(sql_type = Text)]
    schema: String,
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Array<Text>)]
    beyond: Vec<String>,
}

/// Rights on single columns count: with `UPDATE (status)` a suspended tenant
/// lets itself in. A superuser has every right, which the probe says once.
const BEYOND: &str = "
    SELECT * FROM (
        SELECT e.schema, e.tab AS table,
            ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) p
                WHERE has_any_column_privilege($4, c.oid, p) AND NOT (p = 'SELECT' AND e.read)
                UNION ALL
                SELECT p FROM unnest(ARRAY['DELETE', 'TRUNCATE', 'TRIGGER']) p
                WHERE has_table_privilege($4, c.oid, p)) AS beyond
        FROM unnest($1, $2, $3) AS e(schema, tab, read)
        JOIN pg_catalog.pg_namespace n ON n.nspname = e.schema
        JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = e.tab
        WHERE NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = $4)) found
    WHERE beyond <> '{}' ORDER BY 1, 2";

impl Beyond {
    fn problem(&self, role: &str) -> Problem {
        let table = format!("{}.{}", quoted(&self.schema), quoted(&self.table));
        let beyond = self.beyond.join(", ");
        Problem::new(
            format!("the table {table}"),
            format!(
                "grants {role} more than it should: {beyond} (it says which tenants there are, \
                 and only the owner changes that)"
            ),
            format!("run: REVOKE {beyond} ON {table} FROM {role}, PUBLIC"),
        )
    }
}

/// Those of `tables` in the shared schema that do not ask the roll whose rows
/// they take.
pub(super) async fn off_the_roll(
    app: &Pool,
    shared: &str,
    tables: Vec<&str>,
) -> Result<Vec<Problem>> {
    #[derive(diesel::QueryableByName)]
    struct Off {
        #[diesel(sql_type = Text)]
        table: String,
    }
    let rows: Vec<Off> = app
        .read(
            diesel::sql_query(OFF_THE_ROLL)
                .bind::<Text, _>(shared)
                .bind::<Array<Text>, _>(tables)
                .bind::<Text, _>(ROLL)
                .bind::<Text, _>(ROLL_KEY)
                .bind::<Text, _>(rls::COLUMN),
        )
        .await?;
    let shared = quoted(shared);
    let problem = |row: Off| {
        let table = format!("{shared}.{}", quoted(&row.table));
        let (key, column) = (ROLL_KEY, quoted(rls::COLUMN));
        Problem::new(
            format!("the table {table}"),
            format!("has no key `{key}` as it should be: it takes rows of destroyed tenants"),
            format!(
                "run: ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {key}, \
                 ADD CONSTRAINT {key} FOREIGN KEY ({column}) REFERENCES {shared}.{ROLL}"
            ),
        )
    };
    Ok(rows.into_iter().map(problem).collect())
}

/// Those of the tables with a quota, by schema and name, whose rows are not counted
/// for it.
pub(super) async fn uncounted(app: &Pool, tables: Vec<(&str, &str, &str)>) -> Result<Vec<Problem>> {
    #[derive(diesel::QueryableByName)]
    struct Uncounted {
        #[diesel(sql_type = Text)]
        schema: String,
        #[diesel(sql_type = Text)]
        table: String,
        #[diesel(sql_type = Text)]
        quota: String,
    }
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let column = |of: fn(&(&str, &str, &str)) -> String| tables.iter().map(of).collect::<Vec<_>>();
    let rows: Vec<Uncounted> = app
        .read(
            diesel::sql_query(UNCOUNTED)
                .bind::<Array<Text>, _>(column(|table| table.0.to_owned()))
                .bind::<Array<Text>, _>(column(|table| table.1.to_owned()))
                .bind::<Array<Text>, _>(column(|table| table.2.to_owned()))
                .bind::<Array<Text>, _>(TRIGGERS.to_vec())
                .bind::<Text, _>(COUNTER),
        )
        .await?;
    let problem = |row: Uncounted| {
        Problem::new(
            format!("the table {}.{}", quoted(&row.schema), quoted(&row.table)),
            format!("is not counted for the quota `{}`", row.quota),
            "run the subcommand `migrate` with TENANCY_OWNER_DATABASE_URL set",
        )
    };
    Ok(rows.into_iter().map(problem).collect())
}

/// A table that is missing has been named.
const UNCOUNTED: &str = "
    SELECT e.schema, e.tab AS table, e.quota
    FROM unnest($1, $2, $3) AS e(schema, tab, quota)
    JOIN pg_catalog.pg_namespace n ON n.nspname = e.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = e.tab
    WHERE (SELECT count(*) FROM pg_catalog.pg_trigger t
        JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
        WHERE t.tgrelid = c.oid AND t.tgname = ANY ($4) AND t.tgenabled IN ('O', 'A')
            AND p.pronamespace = n.oid AND p.proname = $5 AND p.prosecdef
            AND t.tgargs = convert_to(e.quota, 'UTF8') || '\\x00'::bytea) <> 2
    ORDER BY 1, 2";

const OFF_THE_ROLL: &str = "
    SELECT c.relname::text AS table
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = ANY($2) AND c.relkind IN ('r', 'p')
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
            JOIN pg_catalog.pg_class roll ON roll.oid = k.confrelid
            JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
            WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.conname = $4 AND k.convalidated
                AND roll.relnamespace = n.oid AND roll.relname = $3
                AND a.attname = $5 AND array_length(k.conkey, 1) = 1)
    ORDER BY 1";
