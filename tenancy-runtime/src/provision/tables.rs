use diesel_async::SimpleAsyncConnection;
use sha2::{Digest as _, Sha256};

use super::database::TenantDatabases;
use super::inventory::Inventory;
use super::migrations::{self, Migration};
use super::relations::Exemption;
use super::{kept, patience, schemas, shared_rows};
use crate::db::{Pool, TenantLogins, Transaction};
use crate::error::{Error, Result};
use crate::isolation::{Strategy, rls};
use crate::model::{Audience, Layout, ModelDef, QUOTAS, ROLL, create_roll, quoted};
use crate::plan::{PlanDef, QuotaLimit};
use crate::problem::Problem;
use crate::tenant::{DatabaseAddress, Locator, SchemaName, TenantId, TenantRecord};

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
/// what it should be is for [`verify`](super::verify) to say; but the framework's own
/// are brought up to date if an older version has made them.
#[derive(Debug, Clone)]
pub struct Tables {
    owner: Option<Pool>,
    app_role: String,
    system_role: Option<String>,
    shared: SchemaName,
    models: Vec<&'static ModelDef>,
    databases: Option<TenantDatabases>,
    migrations: &'static [Migration],
    exempt: Vec<Exemption>,
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
            system_role: None,
            shared,
            models,
            databases: None,
            migrations: &[],
            exempt: Vec::new(),
        }
    }

    /// Has the application's own migrations make tables, too.
    #[must_use]
    pub fn with_migrations(mut self, migrations: &'static [Migration]) -> Self {
        self.migrations = migrations;
        self
    }

    /// Has [`verify`](super::verify) pass these over.
    pub(crate) fn with_exempt(mut self, exempt: Vec<Exemption>) -> Self {
        self.exempt = exempt;
        self
    }

    pub(super) fn exempt(&self) -> &[Exemption] {
        &self.exempt
    }

    pub(super) fn migrations(&self) -> &'static [Migration] {
        self.migrations
    }

    /// The tables that all tenants read, by name.
    pub(super) fn shared_models(&self) -> impl Iterator<Item = &'static str> {
        let models = self.models.iter();
        let models = models.filter(|model| model.audience == Audience::Shared);
        models.map(|model| model.table)
    }

    /// The models whose rows are counted.
    pub(super) fn counted(&self) -> Vec<&'static ModelDef> {
        let models = self.models.iter().copied();
        models.filter(|model| model.quota.is_some()).collect()
    }

    /// The statements that give a tenant without rows its limits in the shared
    /// tables.
    pub(super) fn new_limits(&self, id: TenantId, plan: &PlanDef) -> String {
        let quotas = self.counted().into_iter().filter_map(|model| model.quota);
        let rows = quotas.map(|quota| {
            let most = plan.limit(quota).and_then(QuotaLimit::most);
            let most = most.map_or_else(|| "NULL".to_owned(), |most| most.to_string());
            format!("('{}', 0, {most})", quota.name())
        });
        format!(
            "SELECT set_config('{setting}', '{}', true); \
             INSERT INTO {}.{} (quota, used, most) VALUES {}; \
             SELECT set_config('{setting}', '', true)",
            id.as_uuid(),
            self.shared.quoted(),
            quoted(QUOTAS.table),
            rows.collect::<Vec<_>>().join(", "),
            setting = rls::SETTING,
        )
    }

    /// The same, granted to another role.
    #[must_use]
    pub(crate) fn app_role_is(mut self, role: String) -> Self {
        self.app_role = role;
        self
    }

    /// The same for the database at `address`: where its tenant has logins of its
    /// own, made by these and granted to their role. Asked before a transaction
    /// begins, as they are read on another connection.
    ///
    /// # Errors
    ///
    /// Those of the logins' store.
    pub(crate) async fn at(&self, address: &DatabaseAddress) -> Result<Self> {
        let Some(own) = address.own_logins() else {
            return Ok(self.clone());
        };
        let databases = self.databases()?;
        let logins = databases.pools().own_logins()?.both(own.tenant).await?;
        self.by(logins)
    }

    /// [`at`](Self::at) the place of a tenant, wherever that is.
    pub(super) async fn of(&self, tenant: &TenantRecord) -> Result<Self> {
        match &tenant.locator {
            Some(Locator::Database(address, _)) => self.at(address).await,
            _ => Ok(self.clone()),
        }
    }

    /// The same by logins of a tenant's own.
    pub(super) fn by(&self, logins: TenantLogins) -> Result<Self> {
        let role = logins.app.role().unwrap_or(&self.app_role).to_owned();
        let databases = self.databases()?.clone().by(logins);
        Ok(self
            .clone()
            .app_role_is(role)
            .with_databases(Some(databases)))
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

    /// Grants the tables to the system role as well.
    #[must_use]
    pub fn system_role(mut self, role: Option<String>) -> Self {
        self.system_role = role;
        self
    }

    /// The schema of the shared tables.
    #[must_use]
    pub fn shared_schema(&self) -> &SchemaName {
        &self.shared
    }

    /// The application's role, which the tables are granted to.
    #[must_use]
    pub fn app_role(&self) -> &str {
        &self.app_role
    }

    /// The system role, if there is one.
    pub(super) fn system(&self) -> Option<&str> {
        self.system_role.as_deref()
    }

    /// Every role that the tables are granted to.
    pub(super) fn roles(&self) -> Vec<&str> {
        [&*self.app_role].into_iter().chain(self.system()).collect()
    }

    pub(crate) fn owner(&self) -> Result<&Pool> {
        self.owner.as_ref().ok_or_else(Error::without_owner)
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

    /// Makes what is missing: the shared schema with its tables, in the tenants'
    /// own schemas the tables of models that came later, and the grants to a
    /// system role that came later. Safe to repeat, also from several processes
    /// at once.
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
        let there = self.inventory(&mut transaction, own).await?;
        let mut all = Vec::new();
        for schema in own.iter().filter(|schema| there.has(schema)) {
            let (layout, models) = self.in_own_schema(schema);
            self.admit_system(&mut transaction, layout, &there, schema, &models)
                .await?;
            all.extend(models.iter().map(|model| (layout, *model)));
            self.create(&mut transaction, layout, &there.missing(schema, models))
                .await?;
        }
        kept::bring_up_to_date(&mut transaction, &all, &self.roles()).await?;
        transaction.commit().await
    }

    async fn prepare_shared(
        &self,
        transaction: &mut Transaction,
        with_tenants: bool,
    ) -> Result<()> {
        let shared = &self.shared;
        if !self.migrations.is_empty() {
            migrations::install(transaction).await?;
        }
        if with_tenants {
            let sql = format!(
                "{}; REVOKE ALL ON {}.{ROLL} FROM {}",
                create_roll(shared),
                shared.quoted(),
                quoted(&self.app_role)
            );
            transaction.conn().batch_execute(&sql).await?;
        }
        let there = self
            .inventory(transaction, std::slice::from_ref(shared))
            .await?;
        let (layout, models) = self.in_shared_schema(with_tenants);
        self.admit_system(transaction, layout, &there, shared, &models)
            .await?;
        let all: Vec<_> = models.iter().map(|model| (layout, *model)).collect();
        self.create(transaction, layout, &there.missing(shared, models))
            .await?;
        kept::bring_up_to_date(transaction, &all, &self.roles()).await
    }

    /// Puts a tenant on the roll of the shared tables, which are made if it is
    /// the first one there.
    pub(super) async fn enrol(&self, transaction: &mut Transaction, id: TenantId) -> Result<()> {
        let there = self
            .inventory(transaction, std::slice::from_ref(&self.shared))
            .await?;
        let (_, models) = self.in_shared_schema(true);
        let complete = there.missing(&self.shared, models).is_empty();
        if !complete || !there.has_table(&self.shared, ROLL) {
            transaction.conn().batch_execute(LOCK).await?;
            self.prepare_shared(transaction, true).await?;
            let layout = Layout::Shared(&self.shared);
            migrations::apply_all(self, transaction, layout).await?;
        }
        let sql = format!(
            "INSERT INTO {}.{ROLL} VALUES ('{}')",
            self.shared.quoted(),
            id.as_uuid()
        );
        transaction.conn().batch_execute(&sql).await?;
        Ok(())
    }

    /// Makes a tenant's own database with its tables, or what is missing of one that
    /// was left half-made.
    pub(super) async fn make_database(
        &self,
        from: &mut Transaction,
        address: &DatabaseAddress,
        own: &SchemaName,
    ) -> Result<()> {
        self.databases()?.create(address).await?;
        self.fill_database(from, address, own, true).await
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
        // The system role's pool leads to the application's own database only.
        let this = &self.clone().system_role(None);
        let databases = this.databases()?;
        let database = databases.open(address)?;
        database.check_login().await?;
        let mut transaction = database.begin().await?;
        let patience = match address.own_logins() {
            Some(_) => patience::FOR_LOCKS,
            None => "",
        };
        let sql = format!(
            "{patience}{LOCK}; {}; CREATE SCHEMA IF NOT EXISTS {}; {}",
            databases.access(address, &this.app_role),
            this.shared.quoted(),
            this.access(&this.shared)
        );
        transaction.conn().batch_execute(&sql).await?;
        this.prepare_shared(&mut transaction, false).await?;
        let there = this
            .inventory(&mut transaction, std::slice::from_ref(own))
            .await?;
        if there.has(own) {
            let (layout, models) = this.in_own_schema(own);
            let all: Vec<_> = models.iter().map(|model| (layout, *model)).collect();
            this.create(&mut transaction, layout, &there.missing(own, models))
                .await?;
            kept::bring_up_to_date(&mut transaction, &all, &this.roles()).await?;
        } else if new {
            this.create_dedicated(&mut transaction, own).await?;
        }
        let (_, shared_models) = this.in_shared_schema(false);
        shared_rows::copy(from, &mut transaction, &this.shared, &shared_models).await?;
        transaction.commit().await
    }

    /// Makes a tenant's own schema with its tables.
    pub(super) async fn create_dedicated(
        &self,
        transaction: &mut Transaction,
        own: &SchemaName,
    ) -> Result<()> {
        schemas::refuse_taken(transaction, own).await?;
        let sql = format!("CREATE SCHEMA {}; {}", own.quoted(), self.access(own));
        transaction.conn().batch_execute(&sql).await?;
        let (layout, models) = self.in_own_schema(own);
        self.create(transaction, layout, &models).await?;
        migrations::apply_all(self, transaction, layout).await
    }

    /// Begins a transaction in which nobody else makes tables.
    async fn begin(&self) -> Result<Transaction> {
        let mut transaction = self.owner()?.begin().await?;
        transaction.conn().batch_execute(LOCK).await?;
        Ok(transaction)
    }

    fn access(&self, schema: &SchemaName) -> String {
        let schema = schema.quoted();
        let roles: Vec<_> = self.roles().into_iter().map(quoted).collect();
        let roles = roles.join(", ");
        format!(
            "REVOKE ALL ON SCHEMA {schema} FROM {roles}, PUBLIC; \
             GRANT USAGE ON SCHEMA {schema} TO {roles}"
        )
    }

    /// Grants the system role what migrations have just made.
    pub(super) async fn admit_system_to(
        &self,
        transaction: &mut Transaction,
        layout: Layout<'_>,
    ) -> Result<()> {
        let (schema, models) = match layout {
            Layout::Shared(shared) => (shared, self.in_shared_schema(true).1),
            Layout::Dedicated { own, .. } => (own, self.in_own_schema(own).1),
        };
        let there = self
            .inventory(transaction, std::slice::from_ref(schema))
            .await?;
        self.admit_system(transaction, layout, &there, schema, &models)
            .await
    }

    /// Grants the system role the tables that are there already: it may have
    /// been configured after they were made. What it has is not granted again:
    /// that would write to the catalog for every table at every start, and fail
    /// where somebody alters one at the same time.
    async fn admit_system(
        &self,
        transaction: &mut Transaction,
        layout: Layout<'_>,
        there: &Inventory,
        schema: &SchemaName,
        models: &[&'static ModelDef],
    ) -> Result<()> {
        let Some(role) = self.system() else {
            return Ok(());
        };
        let usage = format!(
            "GRANT USAGE ON SCHEMA {} TO {}",
            schema.quoted(),
            quoted(role)
        );
        let usage = (!there.is_open(schema)).then_some(usage);
        let models = models.iter();
        let due = models.filter(|model| there.holds(schema, model) && !there.grants(schema, model));
        let grants = due.map(|model| model.grant(layout, role));
        let sql: Vec<String> = usage.into_iter().chain(grants).collect();
        if !sql.is_empty() {
            transaction.conn().batch_execute(&sql.join(";\n")).await?;
        }
        Ok(())
    }

    async fn inventory(
        &self,
        transaction: &mut Transaction,
        schemas: &[SchemaName],
    ) -> Result<Inventory> {
        Inventory::read(transaction, schemas, self.system()).await
    }

    /// The statements that make the tables of `models`.
    fn statements(&self, layout: Layout<'_>, models: &[&'static ModelDef]) -> Vec<String> {
        // The others are made by migrations.
        let models = || models.iter().filter(|model| !model.migrated);
        let tables = models().flat_map(|model| model.create(layout, &self.roles()));
        // Models may refer to each other, so the keys come when all are there.
        let keys = models().flat_map(|model| model.foreign_keys(layout));
        tables.chain(keys).collect()
    }

    /// A digest of all that places of a tenant's own are made by: two processes
    /// that would make the same place have the same.
    pub(super) fn shape(&self, strategy: Strategy) -> String {
        let this = match strategy {
            // As in `fill_database`.
            Strategy::Database => &self.clone().system_role(None),
            Strategy::Rls | Strategy::Schema => self,
        };
        // Any schema's name will do, as long as it is always the same.
        let (own, models) = this.in_own_schema(&this.shared);
        let (shared, shared_models) = this.in_shared_schema(false);
        let mut words = vec![env!("CARGO_PKG_VERSION"), strategy.as_str()];
        words.extend(this.roles());
        let mut made_by: Vec<String> = words.into_iter().map(str::to_owned).collect();
        if let (Strategy::Database, Some(databases)) = (strategy, &this.databases) {
            made_by.push(databases.pools().login().where_new_ones_are());
        }
        made_by.extend(this.statements(own, &models));
        made_by.extend(this.statements(shared, &shared_models));
        for migration in this.migrations {
            made_by.extend([migration.to_string(), migration.sql.to_owned()]);
        }
        let digest = Sha256::digest(made_by.join("\n"));
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    async fn create(
        &self,
        transaction: &mut Transaction,
        layout: Layout<'_>,
        models: &[&'static ModelDef],
    ) -> Result<()> {
        let sql = self.statements(layout, models);
        if !sql.is_empty() {
            transaction.conn().batch_execute(&sql.join(";\n")).await?;
        }
        Ok(())
    }
}
