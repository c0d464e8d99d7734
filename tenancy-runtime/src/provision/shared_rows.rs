//! The rows that all tenants read, in the databases that tenants have of their
//! own: PostgreSQL reads no table of another database, so each has a copy. It is
//! brought up to date when the tenant is provisioned, and by every later start
//! or `migrate` with the owner's login.

use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;

use crate::db::Transaction;
use crate::error::Result;
use crate::model::{ModelDef, quoted};
use crate::tenant::SchemaName;

/// Makes the tables of `models` in `to` hold the rows that they hold in `from`.
pub(super) async fn copy(
    from: &mut Transaction,
    to: &mut Transaction,
    shared: &SchemaName,
    models: &[&ModelDef],
) -> Result<()> {
    if models.is_empty() {
        return Ok(());
    }
    let rows = read(from, shared, models).await?;
    // One statement for all: they may refer to each other, and PostgreSQL checks
    // that when the statement ends.
    let parts = models.iter().enumerate();
    let parts = parts.map(|(number, model)| parts_of(number, model, shared));
    let parts: Vec<String> = parts.collect();
    let sql = format!(
        "WITH given AS (SELECT $1::jsonb AS tables), {} SELECT",
        parts.join(", ")
    );
    diesel::sql_query(sql)
        .bind::<Text, _>(rows)
        .execute(to.conn())
        .await?;
    Ok(())
}

/// Every row of every table, as an object of arrays by table. As text: a number
/// that is read here may come back as another one.
async fn read(from: &mut Transaction, shared: &SchemaName, models: &[&ModelDef]) -> Result<String> {
    #[derive(diesel::QueryableByName)]
    struct Rows {
        #[diesel(sql_type = Text)]
        rows: String,
    }
    let tables: Vec<String> = models
        .iter()
        .map(|model| {
            format!(
                "'{}', (SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM {}.{} t)",
                model.table,
                shared.quoted(),
                quoted(model.table)
            )
        })
        .collect();
    let sql = format!(
        "SELECT jsonb_build_object({})::text AS rows",
        tables.join(", ")
    );
    let rows: Rows = diesel::sql_query(sql).get_result(from.conn()).await?;
    Ok(rows.rows)
}

/// The parts of the statement that bring one table up to date.
fn parts_of(number: usize, model: &ModelDef, shared: &SchemaName) -> String {
    let table = format!("{}.{}", shared.quoted(), quoted(model.table));
    // Numbered, as the tables' own names may be as long as names can be.
    let [given, put, gone] = ["given", "put", "gone"].map(|part| format!("{part}_{number}"));
    let list = |each: &dyn Fn(String) -> String, glue: &str, columns: &[&str]| {
        let columns: Vec<String> = columns.iter().map(|c| each(quoted(c))).collect();
        columns.join(glue)
    };
    let columns: Vec<&str> = model.columns.iter().map(|column| column.name).collect();
    let all = list(&|c| c, ", ", &columns);
    let key = list(&|c| c, ", ", model.primary_key);
    let set = list(&|c| format!("{c} = EXCLUDED.{c}"), ", ", &columns);
    let same = list(&|c| format!("g.{c} = t.{c}"), " AND ", model.primary_key);
    format!(
        "{given} AS (SELECT r.* FROM given, \
             jsonb_populate_recordset(NULL::{table}, tables -> '{name}') r), \
         {put} AS (INSERT INTO {table} ({all}) SELECT {all} FROM {given} \
             ON CONFLICT ({key}) DO UPDATE SET {set}), \
         {gone} AS (DELETE FROM {table} t \
             WHERE NOT EXISTS (SELECT FROM {given} g WHERE {same}))",
        name = model.table,
    )
}
