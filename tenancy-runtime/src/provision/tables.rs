use std::collections::{BTreeMap, BTreeSet};

use diesel::sql_types::{Array, Nullable, Text};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

use super::database::TenantDatabases;
use super::shared_rows;
use crate::db::{Pool, Transaction};
use crate::error::{Error, Result};
use crate::model::{Audience, Layout, ModelDef, ROLL, create_roll, quoted};
use crate::problem::Problem;
use crate::tenant::{DatabaseAddress, SchemaName, TenantId};

/// Held until the end of a transaction in which shared tables are made.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('tenancy.tables', 0))";

/// Takes from everybody the leave to make temporary tables, which PostgreSQL gives
/// by default; where the database is another role's that is left to it, and the
/// application's start names what to do.
const NO_TEMPORARY_TABLES: &str = "DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_database d WHERE d.datname = current_database()
        AND pg_has_role(d.datdba, 'USAGE')
        AND has_database_privilege('public', d.oid, 'TEMPORARY')) THEN
        EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    END IF;
END $$";

/// The tables of the declared models, and the role that makes them.
///
/// Making is additive: a table that is there is left alone, and whether it is
/// what it should be is for [`verify`](super::verify) to say.
#[derive(Debug, Clone)]
pub struct Tables {
    owner: Option<Pool>,
    app_role: String,
    shared: SchemaName,
    models: Vec<&'static ModelDef>,
    databases: Option<TenantDatabases>,
}

impl Tables {
    /// The tables of `models`, made by `owner` and granted to `app_role`.
    /// Without an owner nothing can be made.
    #[must_use]
    pub fn new(
        owner: Option<Pool>,
        app_role: impl Into<String>,
        shared: SchemaName,
        models: Vec<&'static ModelDef>,
    ) -> Self {
        Self {
            owner,
            app_role: app_role.into(),
            shared,
            models,
            databases: None,
        }
    }

    /// Makes the tables in databases of tenants' own as well.
    #[must_use]
    pub fn with_databases(mut self, databases: Option<TenantDatabases>) -> Self {
        self.databases = databases;
        self
    }

    /// The databases that tenants have of their own.
    ///
    /// # Errors
    ///
    /// [`Error::CannotStart`] where no login to such is configured.
    pub(crate) fn databases(&self) -> Result<&TenantDatabases> {
        self.databases.as_ref().ok_or_else(|| {
            Problem::new(
                "the isolation `database`",
                "needs a server, and the embedded database is none",
                "set TENANCY_DATABASE_URL and TENANCY_OWNER_DATABASE_URL",
            )
            .into()
        })
    }

    /// The schema of the shared tables.
    #[must_use]
    pub fn shared_schema(&self) -> &SchemaName {
        &self.shared
    }

    /// The role that the tables are granted to.
    #[must_use]
    pub fn app_role(&self) -> &str {
        &self.app_role
    }

    pub(crate) fn owner(&self) -> Result<&Pool> {
        self.owner.as_ref().ok_or_else(|| {
            Error::unavailable(Problem::new(
                "TENANCY_OWNER_DATABASE_URL",
                "is not set, and only the owner makes tables",
                "set it to the owner's login",
            ))
        })
    }

    /// Whether tables can be made.
    #[must_use]
    pub fn can_make(&self) -> bool {
        self.owner.is_some()
    }

    /// The layout of the shared schema, with the models that have a table there:
    /// those of tenants only if some tenant shares tables.
    pub(super) fn in_shared_schema(
        &self,
        with_tenants: bool,
    ) -> (Layout<'_>, Vec<&'static ModelDef>) {
        let models = self.models.iter().copied();
        let models = models.filter(|model| with_tenants || model.audience == Audience::Shared);
        (Layout::Shared(&self.shared), models.collect())
    }

    /// The layout of a tenant's own schema, with the models that have a table
    /// there.
    pub(super) fn in_own_schema<'a>(
        &'a self,
        own: &'a SchemaName,
    ) -> (Layout<'a>, Vec<&'static ModelDef>) {
        let models = self.models.iter().copied();
        let models = models.filter(|model| model.audience == Audience::Tenant);
        let shared = &self.shared;
        (Layout::Dedicated { own, shared }, models.collect())
    }

    /// Makes what is missing: the shared schema with its tables, and in the
    /// tenants' own schemas the tables of models that came later. Safe to
    /// repeat, also from several processes at once.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn prepare(&self, with_tenants: bool, own: &[SchemaName]) -> Result<()> {
        let shared = &self.shared;
        let mut transaction = self.begin().await?;
        let sql = format!(
            "{NO_TEMPORARY_TABLES}; CREATE SCHEMA IF NOT EXISTS {}; {}",
            shared.quoted(),
            self.access(shared)
        );
        transaction.conn().batch_execute(&sql).await?;
        self.prepare_shared(&mut transaction, with_tenants).await?;
        transaction.commit().await?;

        let mut transaction = self.begin().await?;
        let there = Inventory::read(&mut transaction, own).await?;
        for schema in own.iter().filter(|schema| there.has(schema)) {
            let (layout, models) = self.in_own_schema(schema);
            self.create(&mut transaction, layout, &there.missing(schema, models))
                .await?;
        }
        transaction.commit().await
    }

    async fn prepare_shared(
        &self,
        transaction: &mut Transaction,
        with_tenants: bool,
    ) -> Result<()> {
        let shared = &self.shared;
        if with_tenants {
            let roll = create_roll(shared);
            transaction.conn().batch_execute(&roll).await?;
        }
        let there = Inventory::read(transaction, std::slice::from_ref(shared)).await?;
        let (layout, models) = self.in_shared_schema(with_tenants);
        self.create(transaction, layout, &there.missing(shared, models))
            .await
    }

    /// Puts a tenant on the roll of the shared tables, which are made if it is
    /// the first one there.
    pub(super) async fn enrol(&self, transaction: &mut Transaction, id: TenantId) -> Result<()> {
        let there = Inventory::read(transaction, std::slice::from_ref(&self.shared)).await?;
        let (_, models) = self.in_shared_schema(true);
        let complete = there.missing(&self.shared, models).is_empty();
        if !complete || !there.has_table(&self.shared, ROLL) {
            transaction.conn().batch_execute(LOCK).await?;
            self.prepare_shared(transaction, true).await?;
        }
        let sql = format!(
            "INSERT INTO {}.{ROLL} VALUES ('{}')",
            self.shared.quoted(),
            id.as_uuid()
        );
        transaction.conn().batch_execute(&sql).await?;
        Ok(())
    }

    /// Makes what is missing in a tenant's own database, and brings its copy of
    /// the shared rows, read in `from`, up to date. Without `new`, a schema that
    /// is missing is not made: it was there, and with it the tenant's data.
    pub(crate) async fn fill_database(
        &self,
        from: &mut Transaction,
        address: &DatabaseAddress,
        own: &SchemaName,
        new: bool,
    ) -> Result<()> {
        let databases = self.databases()?;
        let database = databases.open(address)?;
        database.check_login().await?;
        let mut transaction = database.begin().await?;
        let sql = format!(
            "{LOCK}; {}; CREATE SCHEMA IF NOT EXISTS {}; {}",
            databases.access(address, &self.app_role),
            self.shared.quoted(),
            self.access(&self.shared)
        );
        transaction.conn().batch_execute(&sql).await?;
        self.prepare_shared(&mut transaction, false).await?;
        let there = Inventory::read(&mut transaction, std::slice::from_ref(own)).await?;
        if there.has(own) {
            let (layout, models) = self.in_own_schema(own);
            self.create(&mut transaction, layout, &there.missing(own, models))
                .await?;
        } else if new {
            self.create_dedicated(&mut transaction, own).await?;
        }
        let (_, shared_models) = self.in_shared_schema(false);
        shared_rows::copy(from, &mut transaction, &self.shared, &shared_models).await?;
        transaction.commit().await
    }

    /// Makes a tenant's own schema with its tables.
    pub(super) async fn create_dedicated(
        &self,
        transaction: &mut Transaction,
        own: &SchemaName,
    ) -> Result<()> {
        // Without IF NOT EXISTS: a schema that is there is somebody's data.
        let sql = format!("CREATE SCHEMA {}; {}", own.quoted(), self.access(own));
        transaction.conn().batch_execute(&sql).await?;
        let (layout, models) = self.in_own_schema(own);
        self.create(transaction, layout, &models).await
    }

    /// Begins a transaction in which nobody else makes tables.
    async fn begin(&self) -> Result<Transaction> {
        let mut transaction = self.owner()?.begin().await?;
        transaction.conn().batch_execute(LOCK).await?;
        Ok(transaction)
    }

    fn access(&self, schema: &SchemaName) -> String {
        let (schema, role) = (schema.quoted(), quoted(&self.app_role));
        format!(
            "REVOKE ALL ON SCHEMA {schema} FROM PUBLIC; GRANT USAGE ON SCHEMA {schema} TO {role}"
        )
    }

    async fn create(
        &self,
        transaction: &mut Transaction,
        layout: Layout<'_>,
        models: &[&'static ModelDef],
    ) -> Result<()> {
        let tables = models
            .iter()
            .flat_map(|model| model.create(layout, &self.app_role));
        // Models may refer to each other, so the keys come when all are there.
        let keys = models.iter().flat_map(|model| model.foreign_keys(layout));
        let sql: Vec<String> = tables.chain(keys).collect();
        if !sql.is_empty() {
            transaction.conn().batch_execute(&sql.join(";\n")).await?;
        }
        Ok(())
    }
}

/// Which schemas and tables are there.
struct Inventory(BTreeMap<String, BTreeSet<String>>);

impl Inventory {
    async fn read(transaction: &mut Transaction, schemas: &[SchemaName]) -> Result<Self> {
        #[derive(diesel::QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            schema: String,
            #[diesel(sql_type = Nullable<Text>)]
            table: Option<String>,
        }
        let schemas: Vec<&str> = schemas.iter().map(SchemaName::as_str).collect();
        let rows: Vec<Row> = diesel::sql_query(
            "SELECT n.nspname::text AS schema, c.relname::text AS table \
             FROM pg_catalog.pg_namespace n \
             LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p') \
             WHERE n.nspname = ANY($1)",
        )
        .bind::<Array<Text>, _>(schemas)
        .load(transaction.conn())
        .await?;
        let mut there = BTreeMap::<_, BTreeSet<_>>::new();
        for row in rows {
            there.entry(row.schema).or_default().extend(row.table);
        }
        Ok(Self(there))
    }

    fn has(&self, schema: &SchemaName) -> bool {
        self.0.contains_key(schema.as_str())
    }

    fn has_table(&self, schema: &SchemaName, table: &str) -> bool {
        let tables = self.0.get(schema.as_str());
        tables.is_some_and(|tables| tables.contains(table))
    }

    fn missing(
        &self,
        schema: &SchemaName,
        mut models: Vec<&'static ModelDef>,
    ) -> Vec<&'static ModelDef> {
        if let Some(tables) = self.0.get(schema.as_str()) {
            models.retain(|model| !tables.contains(model.table));
        }
        models
    }
}
