use std::net::SocketAddr;
use std::sync::Arc;

use axum::{Extension, Router};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt as _};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::TraceLayer;

use super::builder::{App, Route};
use super::data::Data;
use crate::admit::{Admission, AdmissionLayer};
use crate::config::Config;
use crate::db::{Databases, DatabasesSettings, Pool, PoolNumbers, TenantDb, TenantPool};
use crate::error::{Error, Result};
use crate::http::{self, TenantUse};
use crate::isolation::{Isolation, Strategy};
use crate::model::ModelDef;
use crate::problem::Problem;
use crate::provision::{Provisioner, Tables, TenantDatabases, probe, verify};
use crate::registry::{MemoryRegistry, PostgresRegistry, TenantRegistry};
use crate::resolve::{Candidate, HeaderResolver, Resolver};
use crate::tenant::{DatabaseAddress, Locator, NewTenant, SchemaName, Slug, Tenant, TenantStatus};

/// The schema of the shared tables.
const SHARED_SCHEMA: &str = "shared";

/// How many tenants' own databases are worked on at a time.
const AT_A_TIME: usize = 8;

/// What calls when the application listens.
pub(super) type OnListen = Option<Box<dyn FnOnce(SocketAddr) + Send>>;

/// The wired pieces of an application, without its routes: for tests and jobs.
///
/// ```
/// use tenancy_runtime::app::App;
/// use tenancy_runtime::config::Config;
/// use tenancy_runtime::error::{Error, Result};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let app = App::new("shop", "1.0.0").seed("acme-corp");
/// let config = Config::from_vars(app.defaults(), []).map_err(Error::CannotStart)?;
/// let (tenancy, _router) = app.start(config).await?;
/// assert_eq!(tenancy.provisioner().list(None, 10).await?.len(), 1);
/// assert!(tenancy.verify().await?.is_empty());
/// # Ok(())
/// # }
/// ```
pub struct Tenancy {
    admission: Admission,
    provisioner: Provisioner,
    registry: Arc<dyn TenantRegistry>,
    data: Option<(TenantPool, Tables, Isolation, Data)>,
}

impl App {
    pub(super) async fn start_parts(self, config: Config) -> Result<(Tenancy, Router, OnListen)> {
        let mut problems = self.problems;
        problems.extend(clashes(&self.routes));
        if !problems.is_empty() {
            return Err(Error::CannotStart(problems));
        }
        let tenancy = Tenancy::connect(&config, self.models, self.resolver, self.registry).await?;
        tenancy.prepare().await?;
        refuse(tenancy.verify_main().await?)?;
        tenancy.seed(self.seeds).await?;
        let router = router(&tenancy, self.routes, self.routers);
        let router = self
            .layers
            .into_iter()
            .fold(router, |router, layer| layer(router));
        Ok((tenancy, router, self.on_listen))
    }
}

impl Tenancy {
    /// Connects what the configuration names; nothing is changed yet.
    pub(super) async fn connect(
        config: &Config,
        models: Vec<&'static ModelDef>,
        resolver: Option<Arc<dyn Resolver>>,
        registry: Option<Arc<dyn TenantRegistry>>,
    ) -> Result<Self> {
        let resolver = resolver
            .unwrap_or_else(|| Arc::new(HeaderResolver::from(config.tenant_header.clone())));
        let Some(isolation) = config.isolation.clone() else {
            if let Some(model) = models.first() {
                return Err(Problem::new(
                    format!("the model `{}`", model.name),
                    "needs a database, and the application isolates no data",
                    "declare isolation = \"rls\" in the application's attribute",
                )
                .into());
            }
            let registry = registry.unwrap_or_else(|| Arc::new(MemoryRegistry::new()));
            return Ok(Self {
                admission: Admission::new(resolver, Arc::clone(&registry), None),
                provisioner: Provisioner::new(Arc::clone(&registry), None)
                    .max_tenants(config.max_tenants),
                registry,
                data: None,
            });
        };
        let data = Data::connect(config).await?;
        let shared: SchemaName = SHARED_SCHEMA.parse().map_err(Error::internal)?;
        let registry = registry.unwrap_or_else(|| {
            Arc::new(PostgresRegistry::new(data.app.clone(), data.owner.clone()))
        });
        let tables = Tables::new(data.owner.clone(), &*data.app_role, shared.clone(), models);
        let databases = tenant_databases(config, &data, &tables);
        let pool = TenantPool::new(data.app.clone(), shared)
            .with_databases(databases.as_ref().map(|all| all.pools().clone()));
        let tables = tables.with_databases(databases);
        if isolation.strategies().contains(&Strategy::Database) {
            tables.databases()?;
        }
        let provisioner = Provisioner::new(
            Arc::clone(&registry),
            Some((isolation.clone(), tables.clone())),
        );
        Ok(Self {
            admission: Admission::new(resolver, Arc::clone(&registry), Some(pool.clone())),
            provisioner: provisioner.max_tenants(config.max_tenants),
            registry,
            data: Some((pool, tables, isolation, data)),
        })
    }

    /// Brings the registry and the tables up to date, if the owner's login is
    /// there to do so.
    pub(super) async fn prepare(&self) -> Result<()> {
        let Some((_, tables, _, data)) = &self.data else {
            return self.registry.prepare("").await;
        };
        if !tables.can_make() {
            return Ok(());
        }
        self.registry.prepare(&data.app_role).await?;
        self.provisioner.resume().await?;
        let places = self.places().await?;
        tables.prepare(places.shared, &places.schemas).await?;
        self.each_database(places.databases, async |tenant: &OwnDatabase| {
            let mut shared = tables.owner()?.begin().await?;
            tables
                .fill_database(&mut shared, &tenant.address, &tenant.schema, false)
                .await?;
            shared.commit().await
        })
        .await;
        Ok(())
    }

    /// Does the same to every tenant's own database, several at a time. One that
    /// fails is logged and holds up nobody else: it is proved again before its
    /// tenant is served.
    async fn each_database(
        &self,
        databases: Vec<OwnDatabase>,
        work: impl AsyncFn(&OwnDatabase) -> Result<()>,
    ) {
        let work = &work;
        stream::iter(databases)
            .for_each_concurrent(AT_A_TIME, async |tenant| {
                if let Err(error) = work(&tenant).await {
                    let OwnDatabase { slug, address, .. } = &tenant;
                    tracing::error!(tenant = %slug, database = %address, %error, "not up to date");
                }
            })
            .await;
    }

    /// Everything that is not as it must be, in tenants' own databases as well,
    /// each with what mends it.
    ///
    /// # Errors
    ///
    /// Those of the application's own database.
    pub async fn verify(&self) -> Result<Vec<Problem>> {
        let mut problems = self.verify_main().await?;
        let Some((_, tables, _, _)) = &self.data else {
            return Ok(problems);
        };
        let Ok(databases) = tables.databases() else {
            return Ok(problems);
        };
        let places = self.places().await.unwrap_or_default();
        let found: Vec<Vec<Problem>> = stream::iter(places.databases)
            .map(async |tenant: OwnDatabase| {
                let OwnDatabase {
                    slug,
                    address,
                    schema,
                } = tenant;
                match databases.pools().prove(&address, &schema).await {
                    Ok(()) => Vec::new(),
                    Err(Error::CannotStart(problems)) => problems,
                    Err(error) => vec![Problem::new(
                        format!("the database {address} of the tenant `{slug}`"),
                        format!("cannot be checked: {error}"),
                        "check that the server runs there and takes the application's login",
                    )],
                }
            })
            .buffered(AT_A_TIME)
            .collect()
            .await;
        problems.extend(found.into_iter().flatten());
        Ok(problems)
    }

    /// What is wrong in the application's own database. Tenants' own ones are
    /// proved when they are first used, so that a start takes no longer with
    /// many of them, and is not held up by one that is away.
    async fn verify_main(&self) -> Result<Vec<Problem>> {
        let Some((_, tables, _, data)) = &self.data else {
            return Ok(Vec::new());
        };
        let mut problems = probe::probe(
            &data.app,
            data.owner_role.as_deref(),
            tables.shared_schema(),
        )
        .await?;
        match self.places().await {
            Ok(places) => {
                let Places {
                    shared, schemas, ..
                } = places;
                problems.extend(verify::verify(&data.app, tables, shared, &schemas).await?);
            }
            Err(error @ Error::Unavailable(_)) => return Err(error),
            Err(error) => problems.push(Problem::new(
                "the registry of tenants",
                format!("cannot be read: {error}"),
                "run the subcommand `migrate` with TENANCY_OWNER_DATABASE_URL set",
            )),
        }
        Ok(problems)
    }

    pub(crate) async fn refuse_unsafe(&self) -> Result<()> {
        refuse(self.verify().await?)
    }

    /// Makes what is missing in the database, and verifies it.
    ///
    /// # Errors
    ///
    /// [`Error::CannotStart`] without the owner's login, and with all that is
    /// not as it must be afterwards.
    pub async fn migrate(&self) -> Result<()> {
        if let Some((_, tables, ..)) = &self.data {
            tables.owner()?;
        }
        self.prepare().await?;
        self.refuse_unsafe().await
    }

    async fn seed(&self, seeds: Vec<NewTenant>) -> Result<()> {
        for new in seeds {
            self.provisioner.ensure(new).await?;
        }
        Ok(())
    }

    /// Where there are tenants, those that are on their way in or out aside.
    async fn places(&self) -> Result<Places> {
        let mut places = Places::default();
        if let Some((_, _, isolation, _)) = &self.data {
            places.shared = isolation.strategies().contains(&Strategy::Rls);
        }
        for tenant in self.provisioner.all().await? {
            if matches!(
                tenant.status,
                TenantStatus::Provisioning | TenantStatus::Destroying
            ) {
                continue;
            }
            match tenant.locator {
                Some(Locator::Schema(schema)) => places.schemas.push(schema),
                // Also when new tenants are kept apart in another way by now.
                Some(Locator::Shared(_)) => places.shared = true,
                Some(Locator::Database(address, schema)) => places.databases.push(OwnDatabase {
                    slug: tenant.slug,
                    address,
                    schema,
                }),
                None => {}
            }
        }
        Ok(places)
    }

    /// Who registers tenants.
    #[must_use]
    pub fn provisioner(&self) -> &Provisioner {
        &self.provisioner
    }

    /// Who admits them.
    #[must_use]
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Admits a tenant outside of a request, with the handle to its data: for
    /// jobs and tests.
    ///
    /// # Errors
    ///
    /// As [`Admission::admit`], and [`Error::Internal`] without a database.
    pub async fn tenant(&self, slug: &Slug) -> Result<(Tenant, TenantDb)> {
        let tenant = self.admission.admit(&Candidate::new(slug.clone())).await?;
        let Some((pool, ..)) = &self.data else {
            return Err(Error::internal("the application has no database"));
        };
        let db = pool.db(&tenant)?;
        Ok((tenant, db))
    }

    /// How many connections the pool of the application's role has, if there is
    /// a database.
    #[must_use]
    pub fn pool(&self) -> Option<PoolNumbers> {
        self.data.as_ref().map(|(_, _, _, data)| data.app.numbers())
    }

    /// Closes the pools, and stops the embedded database if it is used. Routers
    /// must be dropped before, as their handlers hold the pools.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] when the embedded database does not stop in order.
    pub async fn stop(self) -> Result<()> {
        #[cfg(feature = "embedded")]
        if let Some((.., mut data)) = self.data {
            let embedded = data.embedded.take();
            drop((self.admission, self.provisioner, self.registry, data));
            if let Some(server) = embedded {
                server.stop().await.map_err(Error::internal)?;
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Tenancy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tenancy").finish_non_exhaustive()
    }
}

fn refuse(problems: Vec<Problem>) -> Result<()> {
    match problems.as_slice() {
        [] => Ok(()),
        _ => Err(Error::CannotStart(problems)),
    }
}

/// Where tenants' data is.
#[derive(Default)]
struct Places {
    /// Whether tenants' rows lie in the shared tables.
    shared: bool,
    /// The tenants' own schemas.
    schemas: Vec<SchemaName>,
    databases: Vec<OwnDatabase>,
}

/// A tenant's own database.
struct OwnDatabase {
    slug: Slug,
    address: DatabaseAddress,
    schema: SchemaName,
}

/// The databases that tenants have of their own, where there is a server.
fn tenant_databases(config: &Config, data: &Data, tables: &Tables) -> Option<TenantDatabases> {
    let logins = config.tenant_databases.clone()?;
    let main = data.main.clone()?;
    let mut settings = DatabasesSettings::new(logins.app);
    settings.size = config.database_pool_size;
    settings.max_connections = config.max_connections;
    settings.wait = config.pool_timeout;
    settings.idle = config.pool_idle_timeout;
    settings.prepared_statements = config.prepared_statements;
    let tables = tables.clone();
    let owner_role = data.owner_role.clone();
    let prove = move |app: Pool, schema: SchemaName| -> BoxFuture<'static, Result<()>> {
        let (tables, owner_role) = (tables.clone(), owner_role.clone());
        Box::pin(async move {
            let shared = tables.shared_schema();
            let mut problems = probe::probe(&app, owner_role.as_deref(), shared).await?;
            problems.extend(verify::verify(&app, &tables, false, &[schema]).await?);
            refuse(problems)
        })
    };
    let databases = Databases::new(settings, Arc::new(prove));
    Some(TenantDatabases::new(
        databases,
        logins.owner,
        main,
        config.pool_timeout,
    ))
}

/// axum panics where two paths differ in the names of their parameters only.
fn clashes(routes: &[Route]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (position, route) in routes.iter().enumerate() {
        let path = route.spec.path;
        let earlier = routes[..position].iter().map(|earlier| earlier.spec.path);
        let mut others = earlier.filter(|other| *other != path && http::same_path(other, path));
        if let Some(other) = others.next() {
            problems.push(Problem::new(
                format!("the routes `{other}` and `{path}`"),
                "name the parameters of one path differently",
                format!("write `{other}` for both"),
            ));
        }
    }
    problems
}

fn router(tenancy: &Tenancy, routes: Vec<Route>, routers: Vec<(TenantUse, Router)>) -> Router {
    let admit = |tenant| AdmissionLayer::new(tenancy.admission.clone(), tenant);
    let mut all = Router::new();
    for route in routes {
        let handler = (route.handler)();
        all = all.route(route.spec.path, handler.layer(admit(route.tenant)));
    }
    for (tenant, router) in routers {
        all = all.merge(router.layer(admit(tenant)));
    }
    all.fallback(http::not_found)
        .method_not_allowed_fallback(http::method_not_allowed)
        .layer(Extension(tenancy.provisioner.clone()))
        .layer(CatchPanicLayer::custom(http::panicked))
        .layer(TraceLayer::new_for_http())
}
