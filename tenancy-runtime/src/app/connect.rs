//! From what is declared and what is configured to the wired pieces. Nothing is
//! changed yet: commands that only look connect in the same way.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::data::Data;
use super::declared::Declared;
use super::tenancy::Tenancy;
use super::{onboarding, upkeep};
use crate::admin::Works;
use crate::admit::Admission;
use crate::config::Config;
#[cfg(feature = "encryption")]
use crate::db::LoginStore;
use crate::db::TenantPool;
#[cfg(feature = "domains")]
use crate::domains::Domains;
use crate::error::{Error, Result};
use crate::events::{Carrier, Events};
use crate::isolation::{Isolation, Strategy};
use crate::jobs::{Bounds, Dispatcher};
use crate::model::QUOTAS;
use crate::problem::Problem;
use crate::provision::{Provisioner, Tables, migrations};
use crate::registry::{
    CacheSettings, MemoryRegistry, PostgresRegistry, Shared, TenantCache, TenantRegistry,
};
use crate::resolve::Chain;
use crate::sealing::MetadataKeys;
#[cfg(feature = "encryption")]
use crate::secrets::{KeptLogins, Secrets};
use crate::system::SystemAccess;
use crate::tenant::SchemaName;

/// The schema of the shared tables.
const SHARED_SCHEMA: &str = "shared";

impl Tenancy {
    /// Connects what the configuration names.
    pub(super) async fn connect(config: &Config, declared: &Declared) -> Result<Self> {
        let Some(isolation) = config.isolation.clone() else {
            return Self::without_data(config, declared);
        };
        upkeep::refuse(migrations::problems(declared.migrations, &declared.models))?;
        let counts = declared.models.iter().any(|model| model.quota.is_some());
        let models = declared.models.iter().copied();
        let models = models.chain(counts.then_some(&QUOTAS)).collect();
        let data = Data::connect(config).await?;
        let shared: SchemaName = SHARED_SCHEMA.parse().map_err(Error::internal)?;
        let registry = declared.registry.clone().unwrap_or_else(|| {
            let (lookups, owner) = (data.lookups.clone(), data.owner.clone());
            Arc::new(PostgresRegistry::new(lookups, owner))
        });
        let tables = Tables::new(data.owner.clone(), &*data.app_role, shared.clone(), models)
            .system_role(data.system_role.clone())
            .with_migrations(declared.migrations)
            .with_exempt(declared.exempt.clone());
        #[cfg(feature = "encryption")]
        let logins = logins_of(config, &data, &*registry)?;
        #[cfg(feature = "encryption")]
        let own_logins = logins.clone().map(|kept| kept as Arc<dyn LoginStore>);
        #[cfg(not(feature = "encryption"))]
        let own_logins = None;
        let databases = upkeep::tenant_databases(config, &data, &tables, own_logins);
        let tenants = look_ups(config, declared, &registry)?;
        let bounds = Bounds::new(config.jobs, config.jobs_waiting);
        let jobs = Dispatcher::start(bounds, Arc::new(tenants.clone()));
        let pool = TenantPool::new(data.app.clone(), shared)
            .with_jobs(jobs.jobs().clone())
            .with_databases(databases.as_ref().map(|all| all.pools().clone()))
            .with_plans(declared.plans.clone())
            .with_keys(metadata_keys(config));
        let tables = tables.with_databases(databases);
        if isolation.strategies().contains(&Strategy::Database) {
            tables.databases()?;
        }
        standby_works(config, &*registry, &tables)?;
        let tables = Some((isolation.clone(), tables));
        let known = (registry, tenants);
        let begin = declared.onboarding.clone();
        let begin = begin.map(|work| onboarding::through(pool.clone(), work));
        let mut tenancy = Self::of(config, declared, known, tables.clone(), Some(&pool));
        tenancy.provisioner = tenancy.provisioner.clone().onboarding(begin);
        tenancy.jobs = Some(jobs);
        #[cfg(feature = "encryption")]
        {
            let provisioner = tenancy.provisioner.clone();
            tenancy.secrets =
                logins.map(|logins| Secrets::new(data.app.clone(), logins, provisioner));
        }
        let carrier = carrier(config, declared.name, &data)?;
        tenancy.events = Events::new(carrier, tenancy.tenants.clone(), config.streams_per_tenant);
        #[cfg(feature = "domains")]
        {
            tenancy.domains = domains_of(config, declared, &data, &tenancy);
        }
        tenancy.system = data
            .system
            .clone()
            .map(|system| SystemAccess::new(system, pool.clone(), tenancy.provisioner.clone()));
        tenancy.data = tables.map(|(isolation, tables)| (pool, tables, isolation, data));
        Ok(tenancy)
    }

    /// An application that isolates no data needs no database.
    fn without_data(config: &Config, declared: &Declared) -> Result<Self> {
        let needs = |about: String, verb: &str| {
            Problem::new(
                about,
                format!("{verb} a database, and the application isolates no data"),
                "declare isolation = \"rls\" in the application's attribute",
            )
        };
        if let Some(model) = declared.models.first() {
            return Err(needs(format!("the model `{}`", model.name), "needs").into());
        }
        if !declared.migrations.is_empty() {
            return Err(needs("the application's migrations".to_owned(), "need").into());
        }
        if declared.onboarding.is_some() {
            return Err(needs("the application's onboarding".to_owned(), "works with").into());
        }
        let registry = declared.registry.clone();
        let registry = registry.unwrap_or_else(|| Arc::new(MemoryRegistry::new()));
        let tenants = look_ups(config, declared, &registry)?;
        Ok(Self::of(config, declared, (registry, tenants), None, None))
    }

    /// The pieces that stand with and without a database.
    fn of(
        config: &Config,
        declared: &Declared,
        (registry, tenants): (Arc<dyn TenantRegistry>, TenantCache),
        tables: Option<(Isolation, Tables)>,
        pool: Option<&TenantPool>,
    ) -> Self {
        let ways = config.resolution.iter();
        let resolver = Chain::new(ways.map(|way| way.connected(&tenants)).collect());
        let keys = metadata_keys(config);
        let mut admission = Admission::new(Arc::new(resolver), tenants.clone(), pool.cloned())
            .membership(declared.membership.clone())
            .plans(declared.plans.clone())
            .keys(keys.clone());
        if pool.is_some() {
            admission = admission.patience(config.pool_timeout);
        }
        let provisioner = Provisioner::new(Arc::clone(&registry), tables)
            .plans(declared.plans.clone())
            .settings(declared.settings.clone().sealed_by(keys))
            .remembered(tenants.clone())
            .max_tenants(config.max_tenants)
            .standby(config.standby);
        Self {
            admission,
            events: Events::new(None, tenants.clone(), config.streams_per_tenant),
            operators: Works::default(),
            provisioner,
            registry,
            tenants,
            seeds: declared.seeds.clone(),
            system: None,
            #[cfg(feature = "encryption")]
            secrets: None,
            #[cfg(feature = "domains")]
            domains: None,
            tending: JoinSet::new(),
            jobs: None,
            data: None,
        }
    }
}

/// Who tenants are, as this process remembers it.
fn look_ups(
    config: &Config,
    declared: &Declared,
    registry: &Arc<dyn TenantRegistry>,
) -> Result<TenantCache> {
    keep_domains(config, &**registry)?;
    let remembered = remembered(config, declared.name, &**registry)?;
    Ok(TenantCache::new(Arc::clone(registry), remembered))
}

/// Places on standby are listed in the registry and made by the owner.
fn standby_works(config: &Config, registry: &dyn TenantRegistry, tables: &Tables) -> Result<()> {
    if config.standby == 0 {
        return Ok(());
    }
    if !registry.keeps_standby() {
        return Err(Problem::new(
            "TENANCY_STANDBY",
            "is set, and the application's own registry keeps no places on standby",
            "unset it, or leave the registry to PostgreSQL",
        )
        .into());
    }
    if !tables.can_make() {
        tracing::warn!("TENANCY_STANDBY does nothing without TENANCY_OWNER_DATABASE_URL");
    }
    Ok(())
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

/// What takes events to other processes: Redis, where there is one, or else the
/// database, where a connection can be kept to listen on.
fn carrier(config: &Config, application: &str, data: &Data) -> Result<Option<Carrier>> {
    if let Some(url) = &config.rate_limits.redis_url {
        return Ok(Some(Carrier::over_redis(url, application)?));
    }
    let login = data.own_connection.clone();
    Ok(login.map(|login| Carrier::postgres(data.lookups.clone(), login)))
}

/// The logins that tenants have of their own, where there are keys to keep secrets by.
#[cfg(feature = "encryption")]
fn logins_of(
    config: &Config,
    data: &Data,
    registry: &dyn TenantRegistry,
) -> Result<Option<Arc<KeptLogins>>> {
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
    let (app, owner) = (data.lookups.clone(), data.one_of_owner(config));
    Ok(Some(Arc::new(KeptLogins::new(app, owner, ring))))
}

/// What seals and opens the secrets in their metadata.
fn metadata_keys(config: &Config) -> MetadataKeys {
    #[cfg(feature = "encryption")]
    return MetadataKeys::new(config.encryption_keys.clone());
    #[cfg(not(feature = "encryption"))]
    {
        let _ = config;
        MetadataKeys::default()
    }
}

/// The domains that tenants bring, where a resolver takes them.
#[cfg(feature = "domains")]
fn domains_of(
    config: &Config,
    declared: &Declared,
    data: &Data,
    tenancy: &Tenancy,
) -> Option<Domains> {
    let ways = config.resolution.iter();
    let ours = ways.filter_map(|way| Some(way.custom_domains()?.domain().clone()));
    let ours: Vec<_> = ours.collect();
    if ours.is_empty() {
        return None;
    }
    let proofs = declared.domain_proofs.clone();
    let (owner, tenants) = (data.owner.clone(), tenancy.tenants.clone());
    Some(Domains::new(owner, ours, proofs, tenants))
}
