//! Tables whose rows stay as they are: whether PostgreSQL fills in what is its to
//! fill in, such as the time, and whether the roles write just the other columns.
//!
//! Older versions let the application fill in everything. What they have made is
//! brought up to date when tables are prepared; everything else is for
//! [`verify`](super::verify) to name.

use std::collections::{BTreeMap, BTreeSet};

use diesel::sql_types::{Array, Bool, Nullable, Text};
use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};

use crate::db::{Pool, Transaction};
use crate::error::Result;
use crate::isolation::rls;
use crate::model::{Layout, ModelDef, quoted};
use crate::problem::Problem;

/// A table by its layout and model.
pub(super) type Table<'a> = (Layout<'a>, &'static ModelDef);

/// A column that a role may write and should not, or the other way round, or that
/// is not filled in as it should be.
#[derive(diesel::QueryableByName)]
struct Off {
    #[diesel(sql_type = Text)]
    schema: String,
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Text)]
    column: String,
    #[diesel(sql_type = Text)]
    role: String,
    /// Whether it is the roles' to write.
    #[diesel(sql_type = Bool)]
    written: bool,
    #[diesel(sql_type = Bool)]
    writable: bool,
    /// Whether nothing fills it in that should be filled in.
    #[diesel(sql_type = Bool)]
    bare: bool,
    /// Whether it is filled in with something else.
    #[diesel(sql_type = Bool)]
    otherwise: bool,
}

/// One row for each of `$1` to `$5` that is off, and for each role of `$6`. What
/// fills in `tenant_id` is not looked at here.
const OFF: &str = "
    SELECT e.schema, e.tab AS table, e.col AS column, r.role, e.written, p.writable,
        e.filled IS NOT NULL AND d.adbin IS NULL AS bare,
        coalesce(pg_get_expr(d.adbin, d.adrelid) <> e.filled, false) AS otherwise
    FROM unnest($1, $2, $3, $4, $5) AS e(schema, tab, col, filled, written)
    CROSS JOIN unnest($6) AS r(role)
    JOIN pg_catalog.pg_namespace n ON n.nspname = e.schema
    JOIN pg_catalog.pg_class c
        ON c.relnamespace = n.oid AND c.relname = e.tab AND c.relkind IN ('r', 'p')
    JOIN pg_catalog.pg_attribute a
        ON a.attrelid = c.oid AND a.attname = e.col AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    CROSS JOIN LATERAL (
        SELECT has_column_privilege(r.role, c.oid, a.attnum, 'INSERT') AS writable) p
    WHERE p.writable <> e.written
        OR e.filled IS NOT NULL AND pg_get_expr(d.adbin, d.adrelid) IS DISTINCT FROM e.filled
    ORDER BY 1, 2, 3, 4";

type Columns = (
    Vec<String>,
    Vec<String>,
    Vec<String>,
    Vec<Option<String>>,
    Vec<bool>,
);

/// The columns of those of `tables` that are append-only, as [`OFF`] takes them.
fn columns(tables: &[Table<'_>]) -> Columns {
    let mut columns = Columns::default();
    for (layout, model) in tables.iter().filter(|(_, model)| model.append_only) {
        let written = model.written();
        let own = model.columns.iter();
        let own = own.map(|column| (column.name, column.default, written.contains(&column.name)));
        let tenant_id = (rls::COLUMN, None, false);
        let lead = layout.has_tenant_id(model).then_some(tenant_id);
        for (column, filled, written) in lead.into_iter().chain(own) {
            columns.0.push(layout.schema_of(model).to_string());
            columns.1.push(model.table.to_owned());
            columns.2.push(column.to_owned());
            columns.3.push(filled.map(str::to_owned));
            columns.4.push(written);
        }
    }
    columns
}

macro_rules! off {
    ($columns:expr, $roles:expr) => {{
        let (schemas, tables, names, filled, written) = $columns;
        diesel::sql_query(OFF)
            .bind::<Array<Text>, _>(schemas)
            .bind::<Array<Text>, _>(tables)
            .bind::<Array<Text>, _>(names)
            .bind::<Array<Nullable<Text>>, _>(filled)
            .bind::<Array<Bool>, _>(written)
            .bind::<Array<Text>, _>($roles)
    }};
}

/// Brings those of `tables` up to date that an older version has made: it left it
/// to the application to fill in what PostgreSQL fills in now.
pub(super) async fn bring_up_to_date(
    transaction: &mut Transaction,
    tables: &[Table<'_>],
    roles: &[&str],
) -> Result<()> {
    let columns = columns(tables);
    if columns.0.is_empty() {
        return Ok(());
    }
    let conn = transaction.conn();
    let off: Vec<Off> = off!(columns, roles).load(conn).await?;
    let older = |(layout, model): &&Table<'_>| {
        let schema = layout.schema_of(model).as_str();
        let mut bare = off.iter().filter(|off| off.bare);
        bare.any(|off| off.schema == schema && off.table == model.table)
    };
    let older = tables.iter().filter(older);
    let statements = older.flat_map(|(layout, model)| model.refill(*layout, roles));
    let sql = statements.collect::<Vec<_>>().join(";\n");
    if !sql.is_empty() {
        conn.batch_execute(&sql).await?;
    }
    Ok(())
}

/// What is wrong with those of `tables` that are append-only.
pub(super) async fn verify(
    app: &Pool,
    tables: &[Table<'_>],
    roles: &[&str],
) -> Result<Vec<Problem>> {
    let columns = columns(tables);
    if columns.0.is_empty() {
        return Ok(Vec::new());
    }
    let roles_owned: Vec<String> = roles.iter().map(ToString::to_string).collect();
    let off: Vec<Off> = app.read(off!(columns, roles_owned)).await?;
    let mut wrong: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    for off in &off {
        let wrong = wrong.entry((&off.schema, &off.table)).or_default();
        wrong.extend(off.wrong());
    }
    let problem = |(layout, model): &Table<'_>| {
        let schema = layout.schema_of(model).as_str();
        let wrong = wrong.get(&(schema, model.table))?;
        let wrong = wrong.iter().map(String::as_str).collect::<Vec<_>>();
        Some(Problem::new(
            format!("the table {}.{}", quoted(schema), quoted(model.table)),
            wrong.join(", and "),
            format!("run: {}", model.refill(*layout, roles).join("; ")),
        ))
    };
    Ok(tables.iter().filter_map(problem).collect())
}

impl Off {
    fn wrong(&self) -> impl Iterator<Item = String> {
        let (column, role) = (quoted(&self.column), quoted(&self.role));
        let default = (self.bare || self.otherwise)
            .then(|| format!("does not fill in {column} as it should"));
        let privilege = match (self.written, self.writable) {
            (true, false) => Some(format!("is not granted to {role}: INSERT ({column})")),
            (false, true) => Some(format!(
                "grants {role} more than it should: INSERT ({column}) (PostgreSQL fills it in)"
            )),
            _ => None,
        };
        default.into_iter().chain(privilege)
    }
}
