//! Whether tables have the keys that their models name: an upsert names its
//! constraint, so one that is called otherwise is found by the first of them
//! and not before.

use diesel::sql_types::{Array, Text};

use crate::db::Pool;
use crate::error::Result;
use crate::model::{Layout, ModelDef, quoted};
use crate::problem::Problem;

/// The keys that are missing, of tables that are there. Each table is given by
/// its layout and model.
pub(super) async fn missing(
    app: &Pool,
    tables: impl Iterator<Item = (Layout<'_>, &'static ModelDef)>,
) -> Result<Vec<Problem>> {
    let keys: Vec<Key> = tables
        .flat_map(|(layout, model)| keys(layout, model))
        .collect();
    let column = |of: fn(&Key) -> &str| keys.iter().map(of).collect::<Vec<_>>();
    let rows: Vec<Key> = app
        .read(
            diesel::sql_query(MISSING)
                .bind::<Array<Text>, _>(column(|key| &key.schema))
                .bind::<Array<Text>, _>(column(|key| &key.table))
                .bind::<Array<Text>, _>(column(|key| &key.name))
                .bind::<Array<Text>, _>(column(|key| &key.kind))
                .bind::<Array<Text>, _>(column(|key| &key.columns)),
        )
        .await?;
    Ok(rows.iter().map(Key::problem).collect())
}

#[derive(diesel::QueryableByName)]
struct Key {
    #[diesel(sql_type = Text)]
    schema: String,
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Text)]
    name: String,
    /// As in `pg_constraint`: `p` or `u`.
    #[diesel(sql_type = Text)]
    kind: String,
    /// Joined by commas, which no column of a model has in its name.
    #[diesel(sql_type = Text)]
    columns: String,
}

const MISSING: &str = "
    SELECT e.schema, e.tab AS table, e.name, e.kind, e.columns
    FROM unnest($1, $2, $3, $4, $5) AS e(schema, tab, name, kind, columns)
    JOIN pg_catalog.pg_namespace n ON n.nspname = e.schema
    JOIN pg_catalog.pg_class c
        ON c.relnamespace = n.oid AND c.relname = e.tab AND c.relkind IN ('r', 'p')
    LEFT JOIN pg_catalog.pg_constraint k
        ON k.conrelid = c.oid AND k.conname = e.name AND k.contype = e.kind::\"char\"
    CROSS JOIN LATERAL (SELECT string_to_array(e.columns, ',') AS due,
        ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum = ANY (k.conkey)) AS there) columns
    WHERE NOT (columns.due @> columns.there AND columns.due <@ columns.there)
    ORDER BY 1, 2, 3";

fn keys(layout: Layout<'_>, model: &ModelDef) -> Vec<Key> {
    let key = |name: &str, kind: &str, columns: &[&str]| Key {
        schema: layout.schema_of(model).as_str().to_owned(),
        table: model.table.to_owned(),
        name: name.to_owned(),
        kind: kind.to_owned(),
        columns: layout.key_columns(model, columns).join(","),
    };
    let primary_key = key(&model.primary_key_name(), "p", model.primary_key);
    let uniques = model.uniques.iter();
    let uniques = uniques.map(|unique| key(unique.name, "u", unique.columns));
    [primary_key].into_iter().chain(uniques).collect()
}

impl Key {
    fn problem(&self) -> Problem {
        let table = format!("{}.{}", quoted(&self.schema), quoted(&self.table));
        let kind = if self.kind == "p" {
            "PRIMARY KEY"
        } else {
            "UNIQUE"
        };
        let columns: Vec<_> = self.columns.split(',').map(quoted).collect();
        let columns = columns.join(", ");
        let name = quoted(&self.name);
        Problem::new(
            format!("the table {table}"),
            format!("has no constraint {name} {kind} ({columns})"),
            format!("run: ALTER TABLE {table} ADD CONSTRAINT {name} {kind} ({columns})"),
        )
    }
}
