use std::panic::Location;
use std::sync::Arc;

use super::conn::TenantConn;
use super::databases::Databases;
use super::pool::Pool;
use crate::error::{Error, Result};
use crate::isolation::Scope;
use crate::jobs::{JobHandle, Jobs};
use crate::plan::Catalog;
use crate::sealing::MetadataKeys;
use crate::tenant::{DatabaseAddress, Locator, SchemaName, Tenant, TenantRecord};

/// The application role's pools, from which admitted tenants get their handles.
#[derive(Debug, Clone)]
pub struct TenantPool {
    pool: Pool,
    shared: SchemaName,
    databases: Option<Databases>,
    plans: Option<Arc<Catalog>>,
    keys: MetadataKeys,
    jobs: Option<Jobs>,
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
            keys: MetadataKeys::default(),
            jobs: None,
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

    /// Knows what opens the secrets in their metadata.
    #[must_use]
    pub(crate) fn with_keys(mut self, keys: MetadataKeys) -> Self {
        self.keys = keys;
        self
    }

    /// Where its handles hand in jobs.
    #[must_use]
    pub(crate) fn with_jobs(mut self, jobs: Jobs) -> Self {
        self.jobs = Some(jobs);
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
        let tenant = Tenant::admitted(tenant.clone()).on(plan);
        self.handle(tenant.with_keys(&self.keys))
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
                jobs: self.jobs.clone(),
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
            jobs: self.jobs.clone(),
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

/// A handle bound to one tenant that hands out [`TenantConn`]s and takes
/// [jobs](Self::spawn): cheap to clone and free to move. It holds no connection
/// itself.
///
/// ```
/// use diesel_async::RunQueryDsl;
/// use tenancy_runtime::db::TenantDb;
///
/// /// In a handler, `TenantDb` is an extractor.
/// async fn count(db: TenantDb) -> tenancy_runtime::error::Result<usize> {
///     let mut conn = db.conn().await?;
///     Ok(diesel::sql_query("SELECT 1 FROM \"tenant\".notes").execute(&mut conn).await?)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct TenantDb {
    source: Source,
    scope: Scope,
    tenant: Tenant,
    jobs: Option<Jobs>,
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

    /// Whose data it is.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Has `work` done for this tenant, beside the requests: it outlives the one that
    /// hands it in. It waits for its turn ([`jobs`](crate::jobs)) without a
    /// connection, and gets this handle to work with.
    ///
    /// It begins only while its tenant is active, and is dropped at its next await when
    /// the tenant no longer is. Its panics and errors are in the log, whether or not
    /// anybody awaits the [`JobHandle`]. It does not survive its process.
    ///
    /// ```
    /// use axum::http::StatusCode;
    /// use diesel_async::RunQueryDsl;
    /// use tenancy_runtime::db::TenantDb;
    /// use tenancy_runtime::error::Result;
    ///
    /// /// In a handler, `TenantDb` is an extractor.
    /// async fn tidy(db: TenantDb) -> Result<StatusCode> {
    ///     db.spawn(async |db: TenantDb| {
    ///         let mut conn = db.conn().await?;
    ///         let sql = "DELETE FROM \"tenant\".notes WHERE text = ''";
    ///         Ok(diesel::sql_query(sql).execute(&mut conn).await?)
    ///     })?;
    ///     Ok(StatusCode::ACCEPTED)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] when as many jobs of the tenant wait as may, and when the
    /// application stops.
    #[track_caller]
    pub fn spawn<T, F>(&self, work: impl FnOnce(Self) -> F + Send + 'static) -> Result<JobHandle<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let jobs = self.jobs.as_ref().ok_or_else(|| {
            Error::internal("a handle that no application has handed out takes no jobs")
        })?;
        let db = self.clone();
        jobs.take(&self.tenant, Location::caller(), move || work(db))
    }
}
