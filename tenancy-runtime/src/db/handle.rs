use std::sync::Arc;

use super::conn::TenantConn;
use super::databases::Databases;
use super::pool::Pool;
use crate::error::{Error, Result};
use crate::isolation::Scope;
use crate::plan::Catalog;
use crate::tenant::{DatabaseAddress, Locator, SchemaName, Tenant, TenantRecord};

/// The application role's pools, from which admitted tenants get their handles.
#[derive(Debug, Clone)]
pub struct TenantPool {
    pool: Pool,
    shared: SchemaName,
    databases: Option<Databases>,
    plans: Option<Arc<Catalog>>,
}

impl TenantPool {
    /// A pool of the application role, and the schema of the shared tables.
    #[must_use]
    pub(crate) fn new(pool: Pool, shared: SchemaName) -> Self {
        Self {
            pool,
            shared,
            databases: None,
            plans: None,
        }
    }

    /// Reaches tenants that have a database of their own as well.
    #[must_use]
    pub fn with_databases(mut self, databases: Option<Databases>) -> Self {
        self.databases = databases;
        self
    }

    /// Knows the plans of tenants that nobody admitted.
    #[must_use]
    pub(crate) fn with_plans(mut self, plans: Option<Arc<Catalog>>) -> Self {
        self.plans = plans;
        self
    }

    /// The handle of one tenant.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] if the tenant was registered without a place for its
    /// data, by an application that had no database then, or with a database of
    /// its own and no login to such is configured.
    pub fn db(&self, tenant: &Tenant) -> Result<TenantDb> {
        self.handle(tenant.clone())
    }

    /// The handle of a tenant that nobody admitted: for system access, which
    /// leaves its own trail.
    pub(crate) fn of_record(&self, tenant: &TenantRecord) -> Result<TenantDb> {
        let plans = self.plans.as_ref();
        let plan = plans.map(|plans| plans.plan_of(tenant)).transpose()?;
        self.handle(Tenant::admitted(tenant.clone()).on(plan))
    }

    fn handle(&self, tenant: Tenant) -> Result<TenantDb> {
        let locator =
            tenant.record().locator.as_ref().ok_or_else(|| {
                Error::internal(format!("tenant `{}` has no data", tenant.slug()))
            })?;
        let scope = Scope::of(tenant.id(), locator, &self.shared);
        let Locator::Database(address, schema) = locator else {
            return Ok(TenantDb {
                scope: self.pool.with_role(scope),
                source: Source::Pool(self.pool.clone()),
                tenant,
            });
        };
        let databases = self.databases.clone().ok_or_else(|| {
            Error::internal(format!(
                "tenant `{}` has a database of its own, and no login to it is configured",
                tenant.slug()
            ))
        })?;
        Ok(TenantDb {
            scope,
            source: Source::Database(databases, address.clone(), schema.clone()),
            tenant,
        })
    }

    /// The schema of the shared tables.
    pub(crate) fn shared_schema(&self) -> &SchemaName {
        &self.shared
    }

    /// The most connections there can be.
    pub(crate) fn size(&self) -> u32 {
        self.pool.size()
    }
}

/// A handle bound to one tenant that hands out [`TenantConn`]s: cheap to clone
/// and free to move into spawned jobs. It holds no connection itself.
///
/// ```
/// use diesel_async::RunQueryDsl;
/// use tenancy_runtime::db::TenantDb;
///
/// /// In a handler, `TenantDb` is an extractor.
/// async fn later(db: TenantDb) {
///     tokio::spawn(async move {
///         let mut conn = db.conn().await?;
///         diesel::sql_query("DELETE FROM \"tenant\".notes").execute(&mut conn).await?;
///         Ok::<(), tenancy_runtime::error::Error>(())
///     });
/// }
/// ```
#[derive(Debug, Clone)]
pub struct TenantDb {
    source: Source,
    scope: Scope,
    tenant: Tenant,
}

/// Where sessions come from.
#[derive(Debug, Clone)]
enum Source {
    /// The pool of the application's own database.
    Pool(Pool),
    /// The tenant's database, whose pool is made when it is first asked.
    Database(Databases, DatabaseAddress, SchemaName),
}

impl TenantDb {
    /// Borrows a connection.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] when none becomes free in time or the database is
    /// away.
    pub async fn conn(&self) -> Result<TenantConn> {
        let session = match &self.source {
            Source::Pool(pool) => pool.get().await?,
            Source::Database(databases, address, schema) => databases.get(address, schema).await?,
        };
        let tenant = Some(self.tenant.clone());
        Ok(TenantConn::new(session, self.scope.clone(), tenant))
    }
}
