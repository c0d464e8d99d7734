use std::collections::BTreeMap;

use diesel::sql_types::{Array, Bool, Nullable, Text};
use diesel_async::RunQueryDsl;

use crate::db::Transaction;
use crate::error::Result;
use crate::model::ModelDef;
use crate::tenant::SchemaName;

/// Which schemas and tables are there, and what of them the system role has.
pub(super) struct Inventory(BTreeMap<String, There>);

#[derive(Default)]
struct There {
    /// Whether the system role may enter.
    open: bool,
    /// Each table with what the system role may do with it.
    tables: BTreeMap<String, Vec<String>>,
}

impl Inventory {
    pub(super) async fn read(
        transaction: &mut Transaction,
        schemas: &[SchemaName],
        system: Option<&str>,
    ) -> Result<Self> {
        #[derive(diesel::QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            schema: String,
            #[diesel(sql_type = Nullable<Text>)]
            table: Option<String>,
            #[diesel(sql_type = Bool)]
            open: bool,
            #[diesel(sql_type = Array<Text>)]
            granted: Vec<String>,
        }
        let schemas: Vec<&str> = schemas.iter().map(SchemaName::as_str).collect();
        let rows: Vec<Row> = diesel::sql_query(
            "SELECT n.nspname::text AS schema, c.relname::text AS table, \
             coalesce(has_schema_privilege($2, n.oid, 'USAGE'), false) AS open, \
             ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p \
                 WHERE has_table_privilege($2, c.oid, p)) AS granted \
             FROM pg_catalog.pg_namespace n \
             LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p') \
             WHERE n.nspname = ANY($1)",
        )
        .bind::<Array<Text>, _>(schemas)
        .bind::<Nullable<Text>, _>(system)
        .load(transaction.conn())
        .await?;
        let mut all = BTreeMap::<_, There>::new();
        for row in rows {
            let there = all.entry(row.schema).or_default();
            there.open = row.open;
            there
                .tables
                .extend(row.table.map(|table| (table, row.granted)));
        }
        Ok(Self(all))
    }

    pub(super) fn has(&self, schema: &SchemaName) -> bool {
        self.0.contains_key(schema.as_str())
    }

    pub(super) fn has_table(&self, schema: &SchemaName, table: &str) -> bool {
        self.granted(schema, table).is_some()
    }

    pub(super) fn missing(
        &self,
        schema: &SchemaName,
        mut models: Vec<&'static ModelDef>,
    ) -> Vec<&'static ModelDef> {
        models.retain(|model| !self.holds(schema, model));
        models
    }

    pub(super) fn holds(&self, schema: &SchemaName, model: &ModelDef) -> bool {
        self.has_table(schema, model.table)
    }

    /// Whether the system role may enter the schema.
    pub(super) fn is_open(&self, schema: &SchemaName) -> bool {
        let there = self.0.get(schema.as_str());
        there.is_some_and(|there| there.open)
    }

    /// Whether the system role has all that it should have of a table.
    pub(super) fn grants(&self, schema: &SchemaName, model: &ModelDef) -> bool {
        let granted = self.granted(schema, model.table).unwrap_or_default();
        let due = model.privileges();
        due.iter().all(|due| granted.iter().any(|has| has == due))
    }

    /// What the system role may do with a table that is there.
    fn granted(&self, schema: &SchemaName, table: &str) -> Option<&[String]> {
        let there = self.0.get(schema.as_str())?;
        there.tables.get(table).map(Vec::as_slice)
    }
}
