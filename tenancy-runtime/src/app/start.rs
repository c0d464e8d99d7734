use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use axum::{Extension, Router};
use tokio::task::JoinSet;
use tower::Layer as _;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::TraceLayer;

use super::builder::{App, Route};
use super::data::Data;
use super::declared;
use super::limits;
use super::upkeep;
use crate::admit::{Admission, AdmissionLayer, Membership};
use crate::audit::{self, AuditLayer};
use crate::config::Config;
use crate::db::{Databases, PoolNumbers, TenantDb, TenantPool};
#[cfg(feature = "domains")]
use crate::domains::{self, DomainProof, Domains};
#[cfg(feature = "embedded")]
use crate::embedded::EmbeddedError;
use crate::error::{Error, Result};
use crate::http::{self, OriginLayer, TenantUse};
use crate::isolation::{Isolation, Strategy};
use crate::model::{ModelDef, QUOTAS};
use crate::plan::{Catalog, Settings};
use crate::problem::Problem;
use crate::provision::migrations::{self, Migration};
use crate::provision::{Exemption, Provisioner, Tables, TenantDatabases};
use crate::registry::{
    CacheSettings, MemoryRegistry, PostgresRegistry, Shared, TenantCache, TenantRegistry,
};
use crate::resolve::{Chain, Resolution, StripPrefixLayer};
#[cfg(feature = "encryption")]
use crate::secrets::{self, Secrets};
use crate::system::{self, Configured, SystemAccess};
use crate::tenant::{NewTenant, SchemaName, Slug, Tenant};

/// The schema of the shared tables.
const SHARED_SCHEMA: &str = "shared";

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
    pub(super) provisioner: Provisioner,
    pub(super) registry: Arc<dyn TenantRegistry>,
    /// What this process remembers of it.
    pub(super) tenants: TenantCache,
    pub(super) seeds: Vec<NewTenant>,
    system: Option<SystemAccess>,
    #[cfg(feature = "encryption")]
    pub(super) secrets: Option<Secrets>,
    #[cfg(feature = "domains")]
    domains: Option<Domains>,
    /// Hears of changed tenants and makes places for those to come, until this is
    /// dropped.
    pub(super) tending: JoinSet<()>,
    pub(super) data: Option<(TenantPool, Tables, Isolation, Data)>,
}

/// What an application is made of, beside its routes.
pub(super) struct Declared {
    pub(super) name: &'static str,
    pub(super) models: Vec<&'static ModelDef>,
    pub(super) migrations: &'static [Migration],
    pub(super) exempt: Vec<Exemption>,
    pub(super) plans: Option<Arc<Catalog>>,
    pub(super) settings: Settings,
}

impl App {
    pub(super) async fn start_parts(self, config: Config) -> Result<(Tenancy, Router, OnListen)> {
        let mut problems = self.problems;
        problems.extend(declared::problems(&self.routes, &self.models));
        let ways = &config.resolution;
        problems.extend(declared::hidden_routes(&self.routes, ways));
        if self.membership.is_none() {
            problems.extend(declared::nobody_decides(&self.routes, &self.routers, ways));
        }
        if self.audit.is_none() {
            problems.extend(declared::unrecorded(&self.routes));
        }
        problems.extend(limits::problems(&config, &self.routes));
        problems.extend(declared::quotas(&self.models, self.plans.as_deref()));
        if let Some(plans) = &self.plans {
            problems.extend(declared::plans(plans, config.isolation.as_ref()));
        }
        upkeep::refuse(problems)?;
        let plans = self.plans.as_deref();
        let limits = limits::of(self.name, &config, plans, &self.routes).await?;
        let declared = Declared {
            name: self.name,
            models: self.models,
            migrations: self.migrations,
            exempt: self.exempt,
            plans: self.plans,
            settings: self.settings,
        };
        let tenancy = Tenancy::connect(&config, declared, self.membership, self.registry).await?;
        let mut tenancy = tenancy.with_seeds(self.seeds);
        #[cfg(feature = "domains")]
        {
            tenancy = tenancy.with_domains(&config, self.domain_proofs);
        }
        tenancy.admission = tenancy.admission.limits(limits);
        tenancy.stand_up().await?;
        #[cfg(feature = "encryption")]
        if let Some(secrets) = &tenancy.secrets {
            secrets.enlist().await?;
        }
        tenancy.seed().await?;
        for problem in tenancy.unfit().await? {
            tracing::error!("{problem}");
        }
        tenancy.start_tending().await?;
        let audit = audit::Configured(self.audit);
        let router = wired(|| router(&tenancy, self.routes, self.routers, audit))?;
        let router = self
            .layers
            .into_iter()
            .fold(router, |router, layer| layer(router));
        let router = around(router, &config);
        Ok((tenancy, router, self.on_listen))
    }
}

impl Tenancy {
    /// Connects what the configuration names; nothing is changed yet.
    pub(super) async fn connect(
        config: &Config,
        declared: Declared,
        membership: Option<Arc<dyn Membership>>,
        registry: Option<Arc<dyn TenantRegistry>>,
    ) -> Result<Self> {
        let Declared {
            name,
            models,
            migrations,
            exempt,
            plans,
            settings,
        } = declared;
        let resolver = |tenants: &TenantCache| {
            let ways = config.resolution.iter();
            Arc::new(Chain::new(ways.map(|way| way.connected(tenants)).collect()))
        };
        let Some(isolation) = config.isolation.clone() else {
            if let Some(model) = models.first() {
                return Err(Problem::new(
                    format!("the model `{}`", model.name),
                    "needs a database, and the application isolates no data",
                    "declare isolation = \"rls\" in the application's attribute",
                )
                .into());
            }
            if !migrations.is_empty() {
                return Err(Problem::new(
                    "the application's migrations",
                    "need a database, and the application isolates no data",
                    "declare isolation = \"rls\" in the application's attribute",
                )
                .into());
            }
            let registry = registry.unwrap_or_else(|| Arc::new(MemoryRegistry::new()));
            keep_domains(config, &*registry)?;
            let tenants =
                TenantCache::new(Arc::clone(&registry), remembered(config, name, &*registry)?);
            return Ok(Self {
                admission: Admission::new(resolver(&tenants), tenants.clone(), None)
                    .membership(membership)
                    .plans(plans.clone()),
                provisioner: Provisioner::new(Arc::clone(&registry), None)
                    .plans(plans)
                    .settings(settings)
                    .remembered(tenants.clone())
                    .max_tenants(config.max_tenants),
                registry,
                tenants,
                seeds: Vec::new(),
                system: None,
                #[cfg(feature = "encryption")]
                secrets: None,
                #[cfg(feature = "domains")]
                domains: None,
                tending: JoinSet::new(),
                data: None,
            });
        };
        let problems = migrations::problems(migrations, &models);
        if !problems.is_empty() {
            return Err(Error::CannotStart(problems));
        }
        let counts = models.iter().any(|model| model.quota.is_some());
        let models = models
            .into_iter()
            .chain(counts.then_some(&QUOTAS))
            .collect();
        let data = Data::connect(config).await?;
        let shared: SchemaName = SHARED_SCHEMA.parse().map_err(Error::internal)?;
        let registry = registry.unwrap_or_else(|| {
            Arc::new(PostgresRegistry::new(
                data.lookups.clone(),
                data.owner.clone(),
            ))
        });
        keep_domains(config, &*registry)?;
        let tables = Tables::new(data.owner.clone(), &*data.app_role, shared.clone(), models)
            .system_role(data.system_role.clone())
            .with_migrations(migrations)
            .with_exempt(exempt);
        let databases = upkeep::tenant_databases(config, &data, &tables);
        let pool = TenantPool::new(data.app.clone(), shared)
            .with_databases(databases.as_ref().map(|all| all.pools().clone()))
            .with_plans(plans.clone());
        let tables = tables.with_databases(databases);
        if isolation.strategies().contains(&Strategy::Database) {
            tables.databases()?;
        }
        if config.standby > 0 && !registry.keeps_standby() {
            return Err(Problem::new(
                "TENANCY_STANDBY",
                "is set, and the application's own registry keeps no places on standby",
                "unset it, or leave the registry to PostgreSQL",
            )
            .into());
        }
        if config.standby > 0 && !tables.can_make() {
            tracing::warn!("TENANCY_STANDBY does nothing without TENANCY_OWNER_DATABASE_URL");
        }
        let provisioner = Provisioner::new(
            Arc::clone(&registry),
            Some((isolation.clone(), tables.clone())),
        );
        let tenants =
            TenantCache::new(Arc::clone(&registry), remembered(config, name, &*registry)?);
        let provisioner = provisioner
            .plans(plans.clone())
            .settings(settings)
            .remembered(tenants.clone())
            .max_tenants(config.max_tenants)
            .standby(config.standby);
        #[cfg(feature = "encryption")]
        let secrets = secrets_of(config, &data, &*registry, &provisioner)?;
        let system = data
            .system
            .clone()
            .map(|system| SystemAccess::new(system, pool.clone(), provisioner.clone()));
        Ok(Self {
            admission: Admission::new(resolver(&tenants), tenants.clone(), Some(pool.clone()))
                .membership(membership)
                .plans(plans)
                .patience(config.pool_timeout),
            provisioner,
            registry,
            tenants,
            seeds: Vec::new(),
            system,
            #[cfg(feature = "encryption")]
            secrets,
            #[cfg(feature = "domains")]
            domains: None,
            tending: JoinSet::new(),
            data: Some((pool, tables, isolation, data)),
        })
    }

    /// The tenants that are registered by [`migrate`](Self::migrate) and at start.
    pub(super) fn with_seeds(mut self, seeds: Vec<NewTenant>) -> Self {
        self.seeds = seeds;
        self
    }

    /// Lets tenants bring domains, where that is declared.
    #[cfg(feature = "domains")]
    pub(super) fn with_domains(
        mut self,
        config: &Config,
        proofs: Vec<Arc<dyn DomainProof>>,
    ) -> Self {
        let ways = config.resolution.iter();
        let ours = ways.filter_map(|way| Some(way.custom_domains()?.domain().clone()));
        let ours: Vec<_> = ours.collect();
        if let Some((.., data)) = &self.data
            && !ours.is_empty()
        {
            let (owner, tenants) = (data.owner.clone(), self.tenants.clone());
            self.domains = Some(Domains::new(owner, ours, proofs, tenants));
        }
        self
    }

    /// A command on tenants that are kept in memory would report what no other
    /// process ever sees.
    pub(crate) fn refuse_forgetful(&self) -> Result<()> {
        if self.registry.is_lasting() {
            return Ok(());
        }
        Err(Error::Conflict(
            "this application keeps its tenants in the memory of the process that serves, where \
             no command reaches them: register them with `seed` or over its own API, or give it \
             a database (`isolation = \"rls\"`)"
                .to_owned(),
        ))
    }

    /// Where they are registered.
    #[cfg(feature = "encryption")]
    pub(crate) fn registry(&self) -> &dyn TenantRegistry {
        &*self.registry
    }

    /// Who registers tenants.
    #[must_use]
    pub fn provisioner(&self) -> &Provisioner {
        &self.provisioner
    }

    /// Access to the data of all tenants, on a role of its own.
    ///
    /// # Errors
    ///
    /// [`Error::CannotStart`] when `TENANCY_SYSTEM_DATABASE_URL` is not set, and
    /// [`Error::Internal`] without a database.
    pub fn system(&self) -> Result<SystemAccess> {
        if self.data.is_none() {
            return Err(Error::internal("the application has no database"));
        }
        self.system.clone().ok_or_else(system::not_configured)
    }

    /// What is kept for tenants, encrypted.
    ///
    /// # Errors
    ///
    /// [`Error::CannotStart`] when `TENANCY_ENCRYPTION_KEY` is not set.
    #[cfg(feature = "encryption")]
    pub fn secrets(&self) -> Result<Secrets> {
        self.secrets.clone().ok_or_else(secrets::not_configured)
    }

    /// The domains that tenants bring.
    ///
    /// # Errors
    ///
    /// [`Error::CannotStart`] when the application does not serve any
    /// ([`custom_domains`](crate::resolve::SubdomainResolver::custom_domains)).
    #[cfg(feature = "domains")]
    pub fn domains(&self) -> Result<&Domains> {
        self.domains.as_ref().ok_or_else(domains::not_configured)
    }

    /// How many names of tenants and domains this process remembers, those that
    /// nobody has included: at most `TENANCY_CACHE_SIZE`.
    #[must_use]
    pub fn remembered(&self) -> u64 {
        self.tenants.size()
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
        let tenant = self.admission.admit_inside(slug).await?;
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

    /// The pools of tenants' own databases, for a look at their connections.
    #[must_use]
    pub fn databases(&self) -> Option<&Databases> {
        let (_, tables, _, _) = self.data.as_ref()?;
        tables.databases().ok().map(TenantDatabases::pools)
    }

    /// Closes the pools, and stops the embedded database if it is used. Routers
    /// must be dropped before, as their handlers hold the pools.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] when the embedded database does not stop in order.
    pub async fn stop(mut self) -> Result<()> {
        self.tending.shutdown().await;
        #[cfg(feature = "embedded")]
        if let Some((.., mut data)) = self.data {
            let embedded = data.embedded.take();
            drop((
                self.admission,
                self.provisioner,
                self.registry,
                self.tenants,
            ));
            #[cfg(feature = "encryption")]
            drop(self.secrets);
            #[cfg(feature = "domains")]
            drop(self.domains);
            drop((self.system, data));
            if let Some(server) = embedded {
                match server.stop().await {
                    // Nobody waits for that statement any more.
                    Err(EmbeddedError::StillBusy) => tracing::warn!(
                        "the embedded PostgreSQL is left behind in a statement that does not \
                         end; it recovers at the next start"
                    ),
                    outcome => outcome.map_err(Error::internal)?,
                }
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

/// axum panics where two routers have the same route, which only it can see.
fn wired(wire: impl FnOnce() -> Router) -> Result<Router> {
    catch_unwind(AssertUnwindSafe(wire)).map_err(|panic| {
        Problem::new(
            "the application's routes",
            http::said(&*panic),
            "give each method and path to one handler, among `routes(…)` and all routers that \
             are merged",
        )
        .into()
    })
}

/// Domains that tenants bring are kept beside the tenants.
fn keep_domains(config: &Config, registry: &dyn TenantRegistry) -> Result<()> {
    let mut ways = config.resolution.iter();
    if ways.all(|way| way.custom_domains().is_none()) || registry.keeps_domains() {
        return Ok(());
    }
    Err(Problem::new(
        "the resolver `subdomain`",
        "takes domains of tenants' own, and the registry of tenants keeps none",
        "leave the registry to PostgreSQL (isolation = \"rls\"), or drop `custom_domains`",
    )
    .into())
}

/// What is remembered of tenants; nothing of those that are in memory anyway.
fn remembered(
    config: &Config,
    application: &str,
    registry: &dyn TenantRegistry,
) -> Result<Option<CacheSettings>> {
    if !config.cache_enabled || !registry.is_lasting() {
        return Ok(None);
    }
    let redis = config.rate_limits.redis_url.as_ref();
    let shared = redis.map(|url| Shared::new(url, application, config.cache_second_level));
    Ok(Some(CacheSettings {
        size: u64::from(config.cache_size),
        outage_limit: config.cache_outage_limit,
        patience: config.pool_timeout,
        shared: shared.transpose()?,
    }))
}

/// The secrets of tenants, where there are keys.
#[cfg(feature = "encryption")]
fn secrets_of(
    config: &Config,
    data: &Data,
    registry: &dyn TenantRegistry,
    provisioner: &Provisioner,
) -> Result<Option<Secrets>> {
    let Some(ring) = config.encryption_keys.clone() else {
        return Ok(None);
    };
    if !registry.keeps_secrets() {
        return Err(Problem::new(
            "TENANCY_ENCRYPTION_KEY",
            "is set, and the application's own registry keeps no secrets",
            "unset it, or leave the registry to PostgreSQL",
        )
        .into());
    }
    let app = data.app.clone();
    Ok(Some(Secrets::new(app, ring, provisioner.clone())))
}

/// What a request passes before it is routed.
fn around(router: Router, config: &Config) -> Router {
    let path = config.resolution.iter().find_map(|way| match way {
        Resolution::Path(resolver) => Some(resolver.clone()),
        _ => None,
    });
    let router = match path {
        Some(path) => Router::new().fallback_service(StripPrefixLayer(path).layer(router)),
        None => router,
    };
    router.layer(OriginLayer::new(config.trusted_proxies.clone()))
}

fn router(
    tenancy: &Tenancy,
    routes: Vec<Route>,
    routers: Vec<(TenantUse, Router)>,
    audit: audit::Configured,
) -> Router {
    let admit = |tenant| AdmissionLayer::new(tenancy.admission.clone(), tenant);
    let mut all = Router::new();
    for route in routes {
        let mut handler = (route.handler)();
        if let Some(audited) = route.audit {
            // Of the route's own method, and behind its limit.
            handler = handler.route_layer(AuditLayer::new(audited));
        }
        let admit = admit(route.tenant).route_limit(route.limit);
        all = all.route(route.spec.path, handler.layer(admit));
    }
    for (tenant, router) in routers {
        all = all.merge(router.layer(admit(tenant)));
    }
    let all = all
        .fallback(http::not_found)
        .method_not_allowed_fallback(http::method_not_allowed);
    #[cfg(feature = "encryption")]
    let all = all.layer(Extension(secrets::Configured(tenancy.secrets.clone())));
    #[cfg(feature = "domains")]
    let all = all.layer(Extension(domains::Configured(tenancy.domains.clone())));
    all.layer(Extension(tenancy.provisioner.clone()))
        .layer(Extension(Configured(tenancy.system.clone())))
        .layer(Extension(audit))
        .layer(CatchPanicLayer::custom(http::panicked))
        .layer(TraceLayer::new_for_http())
}
