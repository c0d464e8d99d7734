use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt as _};

use super::data::Data;
use super::places::OwnDatabase;
use super::tenancy::Tenancy;
use crate::config::Config;
use crate::db::{Databases, DatabasesSettings, LoginStore, Pool};
use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::provision::migrations::{self, Place};
use crate::provision::{Tables, TenantDatabases, patiently, probe, verify};
use crate::registry::{hear, listen};
#[cfg(feature = "encryption")]
use crate::secrets::{self, Secrets};
use crate::system;
use crate::tenant::{NewTenant, SchemaName, Slug, TenantStatus};

/// How many tenants' own databases are looked at at a time.
const AT_A_TIME: usize = 8;

/// How often a start is tried while tenants come and go.
const ATTEMPTS: u32 = 5;

impl Tenancy {
    /// Brings everything up to date that a start needs, and refuses what is
    /// unsafe. Tenants' own databases are brought up to date as well, but one
    /// that fails holds up nobody else: each is proved before its tenant is
    /// served, so that a start takes no longer with many of them.
    pub(super) async fn stand_up(&self) -> Result<()> {
        // In a box: it is large, and so would be all that starts an application.
        self.again_if_tenants_changed(async || Box::pin(self.try_to_stand_up()).await)
            .await
    }

    /// Tenants come and go while others start: what is wrong with one that is
    /// gone is nothing wrong. So what failed is tried again with those that are
    /// there then.
    async fn again_if_tenants_changed(&self, work: impl AsyncFn() -> Result<()>) -> Result<()> {
        for _ in 1..ATTEMPTS {
            let before = self.places(None).await.ok();
            let outcome = work().await;
            if outcome.is_ok() || before.is_none() || self.places(None).await.ok() == before {
                return outcome;
            }
        }
        work().await
    }

    async fn try_to_stand_up(&self) -> Result<()> {
        let mut problems = self.prepare(None).await?;
        for problem in self.prepare_databases(None).await? {
            tracing::error!("{problem}");
        }
        problems.extend(self.verify_main(None).await?);
        refuse(problems)
    }

    /// Brings the registry and the tables up to date, if the owner's login is
    /// there to do so; those of one tenant only if one is named. Returns what
    /// failed for single tenants.
    async fn prepare(&self, only: Option<&Slug>) -> Result<Vec<Problem>> {
        let Some((_, tables, _, data)) = &self.data else {
            self.registry.prepare("").await?;
            return Ok(Vec::new());
        };
        if !tables.can_make() {
            return Ok(Vec::new());
        }
        self.registry.prepare(&data.app_role).await?;
        if let Some(role) = &data.system_role {
            system::grant(tables.owner()?, role).await?;
        }
        self.provisioner.resume().await?;
        let places = self.places(only).await?;
        tables.prepare(places.shared, &places.schemas()).await?;
        let owner = tables.owner()?;
        let own = places.own.into_iter().map(Some);
        let migrated = places.shared.then_some(None).into_iter().chain(own);
        let migrated = migrated.map(|own| Place {
            owner: owner.clone(),
            own,
        });
        let problems = migrations::migrate(tables, migrated.collect()).await;
        self.provisioner.limit_all(only, places.shared).await?;
        Ok(problems)
    }

    /// The same for tenants' own databases, several at a time.
    async fn prepare_databases(&self, only: Option<&Slug>) -> Result<Vec<Problem>> {
        let Some((_, tables, ..)) = &self.data else {
            return Ok(Vec::new());
        };
        if !tables.can_make() {
            return Ok(Vec::new());
        }
        let places = self.places(only).await?;
        // Each holds a connection of the owner's while it works elsewhere.
        let at_a_time = AT_A_TIME.min(tables.owner()?.size() as usize);
        Ok(
            each(places.databases, at_a_time, async |tenant: &OwnDatabase| {
                let tables = &tables.at(&tenant.address).await?;
                let mut shared = tables.owner()?.begin().await?;
                tables
                    .fill_database(&mut shared, &tenant.address, &tenant.schema, false)
                    .await?;
                shared.commit().await?;
                self.provisioner.limit_again(&tenant.slug).await?;
                let place = Place {
                    owner: tables.databases()?.open(&tenant.address)?,
                    own: Some((tenant.slug.clone(), tenant.schema.clone())),
                };
                refuse(migrations::migrate(tables, vec![place]).await)
            })
            .await,
        )
    }

    /// Everything that is not as it must be, in tenants' own databases as well,
    /// each with what mends it.
    ///
    /// # Errors
    ///
    /// Those of the application's own database.
    pub async fn verify(&self) -> Result<Vec<Problem>> {
        self.verify_those_of(None).await
    }

    /// What is stored of tenants and is not as the application declares: plans,
    /// features, settings. Each such tenant is refused when it comes, and holds up
    /// nobody else.
    pub(super) async fn unfit(&self) -> Result<Vec<Problem>> {
        let tenants = self.provisioner.all().await?;
        let problems = tenants
            .iter()
            .flat_map(|tenant| self.provisioner.problems(tenant));
        Ok(problems.collect())
    }

    async fn verify_those_of(&self, only: Option<&Slug>) -> Result<Vec<Problem>> {
        let mut problems = self.verify_main(only).await?;
        // Where the registry cannot be read, that has been said.
        problems.extend(self.unfit().await.unwrap_or_default());
        let Some((_, tables, ..)) = &self.data else {
            return Ok(problems);
        };
        let Ok(databases) = tables.databases() else {
            return Ok(problems);
        };
        let places = self.places(only).await.unwrap_or_default();
        problems.extend(
            each(places.databases, AT_A_TIME, async |tenant: &OwnDatabase| {
                let pools = databases.pools();
                pools.prove(&tenant.address, &tenant.schema).await
            })
            .await,
        );
        Ok(problems)
    }

    /// What is wrong in the application's own database.
    async fn verify_main(&self, only: Option<&Slug>) -> Result<Vec<Problem>> {
        let Some((_, tables, _, data)) = &self.data else {
            return Ok(Vec::new());
        };
        let owner_role = data.owner_role.as_deref();
        let shared = tables.shared_schema();
        let mut problems = probe::probe(&data.app, owner_role, shared).await?;
        // The embedded database takes its roles from one login.
        if data.main.is_some() {
            problems.extend(probe::login(&data.app).await?);
        }
        if let Some(system) = &data.system {
            problems.extend(probe::probe_system(system, &data.app_role, owner_role, shared).await?);
        }
        let system_role = data.system_role.as_deref();
        problems.extend(system::verify(&data.app, &data.app_role, system_role).await?);
        match self.places(only).await {
            Ok(places) => {
                let own = places.schemas();
                problems.extend(verify::verify(&data.app, tables, places.shared, &own).await?);
                #[cfg(feature = "encryption")]
                problems.extend(self.verify_keys(&data.app).await?);
            }
            Err(error @ Error::Unavailable(_)) => return Err(error),
            Err(Error::CannotStart(more)) => problems.extend(more),
            Err(error) => problems.push(Problem::new(
                "the registry of tenants",
                format!("cannot be read: {error}"),
                "run the subcommand `migrate` with TENANCY_OWNER_DATABASE_URL set",
            )),
        }
        Ok(problems)
    }

    /// What is wrong with the keys of tenants' secrets.
    #[cfg(feature = "encryption")]
    async fn verify_keys(&self, app: &Pool) -> Result<Vec<Problem>> {
        if !self.registry.keeps_secrets() {
            return Ok(Vec::new());
        }
        let ring = self.secrets.as_ref().map(Secrets::ring);
        match secrets::verify(app, ring).await {
            Err(Error::CannotStart(problems)) => Ok(problems),
            outcome => outcome,
        }
    }

    pub(crate) async fn refuse_unsafe(&self) -> Result<()> {
        refuse(self.verify().await?)
    }

    /// Makes what is missing in the database, applies the application's
    /// migrations to every tenant, verifies all, and registers the seeds. A
    /// tenant that fails stops no other.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] without the owner's login, and
    /// [`Error::CannotStart`] with every tenant that failed and all that is not
    /// as it must be afterwards.
    pub async fn migrate(&self) -> Result<()> {
        self.migrate_those_of(None).await
    }

    /// [`migrate`](Self::migrate), for the place of one tenant only: its own
    /// schema or database, or the shared tables.
    ///
    /// # Errors
    ///
    /// Those of [`migrate`](Self::migrate), and [`Error::CannotStart`] when
    /// there is no such tenant.
    pub async fn migrate_tenant(&self, slug: &Slug) -> Result<()> {
        self.migrate_those_of(Some(slug)).await
    }

    async fn migrate_those_of(&self, only: Option<&Slug>) -> Result<()> {
        if let Some((_, tables, ..)) = &self.data {
            tables.owner()?;
        }
        self.again_if_tenants_changed(async || {
            let mut problems = self.prepare(only).await?;
            problems.extend(self.prepare_databases(only).await?);
            problems.extend(self.verify_those_of(only).await?);
            refuse(problems)
        })
        .await?;
        match only {
            Some(_) => Ok(()),
            None => self.seed().await,
        }
    }

    /// Registers the seeds that are missing; without the owner's login that is
    /// for `migrate` to do.
    pub(super) async fn seed(&self) -> Result<()> {
        let can_make = match &self.data {
            Some((_, tables, ..)) => tables.can_make(),
            None => true,
        };
        if can_make {
            for new in &self.seeds {
                self.provisioner.ensure(new.clone()).await?;
            }
            return Ok(());
        }
        let mut missing = Vec::new();
        for NewTenant { slug, .. } in &self.seeds {
            let there = self.registry.find(slug).await?;
            if there.is_none_or(|there| there.status == TenantStatus::Provisioning) {
                missing.push(Problem::new(
                    format!("the seed `{slug}`"),
                    "is not registered",
                    "run the subcommand `migrate` with TENANCY_OWNER_DATABASE_URL set",
                ));
            }
        }
        refuse(missing)
    }

    /// Listens for changes of tenants, and has places made for those to come, beside
    /// the requests.
    pub(super) async fn start_tending(&mut self) -> Result<()> {
        if let Some((.., data)) = &self.data
            && let Some(login) = &data.own_connection
            && self.registry.notifies()
            && self.tenants.remembers()
        {
            let (tenants, lookups) = (self.tenants.clone(), data.lookups.clone());
            self.tending.spawn(listen(tenants, lookups, login.clone()));
        }
        if let Some(shared) = self.tenants.shared() {
            let (tenants, shared) = (self.tenants.clone(), Arc::clone(shared));
            self.tending.spawn(hear(tenants, shared));
        }
        let can_make = self
            .data
            .as_ref()
            .is_some_and(|(_, tables, ..)| tables.can_make());
        if can_make && self.provisioner.set_standby_aside().await? {
            self.tending.spawn(self.provisioner.clone().tend_standby());
        }
        Ok(())
    }
}

/// Does the same in every database, several at a time, and returns what is
/// wrong in any of them.
async fn each(
    databases: Vec<OwnDatabase>,
    at_a_time: usize,
    work: impl AsyncFn(&OwnDatabase) -> Result<()>,
) -> Vec<Problem> {
    let work = &work;
    let found: Vec<Vec<Problem>> = stream::iter(databases)
        .map(
            async |tenant| match patiently(&tenant.address, work(&tenant)).await {
                Ok(()) => Vec::new(),
                Err(Error::CannotStart(problems)) => problems,
                Err(error) => {
                    let OwnDatabase { slug, address, .. } = &tenant;
                    vec![Problem::new(
                        format!("the database {address} of the tenant `{slug}`"),
                        format!("cannot be worked on: {error}"),
                        "check that its server runs and takes the logins, then run `migrate`",
                    )]
                }
            },
        )
        .buffered(at_a_time)
        .collect()
        .await;
    found.into_iter().flatten().collect()
}

pub(super) fn refuse(problems: Vec<Problem>) -> Result<()> {
    match problems.as_slice() {
        [] => Ok(()),
        _ => Err(Error::CannotStart(problems)),
    }
}

/// The databases that tenants have of their own, where there is a server.
pub(super) fn tenant_databases(
    config: &Config,
    data: &Data,
    tables: &Tables,
    own_logins: Option<Arc<dyn LoginStore>>,
) -> Option<TenantDatabases> {
    let logins = config.tenant_databases.clone()?;
    let main = data.main.clone()?;
    let mut settings = DatabasesSettings::new(logins.app);
    settings.size = config.database_pool_size;
    settings.max_connections = config.max_connections;
    settings.wait = config.pool_timeout;
    settings.idle = config.pool_idle_timeout;
    settings.prepared_statements = config.prepared_statements;
    // The system role's pool leads to the application's own database only.
    let tables = tables.clone().system_role(None);
    let owner_role = data.owner_role.clone();
    let prove = move |app: Pool, schema: SchemaName, own_role: Option<String>| {
        let (tables, owner_role) = match own_role {
            // The owner's is the tenant's own as well, and not ours to know.
            Some(role) => (tables.clone().app_role_is(role), None),
            None => (tables.clone(), owner_role.clone()),
        };
        let proof: BoxFuture<'static, Result<()>> = Box::pin(async move {
            let shared = tables.shared_schema();
            let mut problems = probe::probe(&app, owner_role.as_deref(), shared).await?;
            problems.extend(probe::login(&app).await?);
            problems.extend(verify::verify(&app, &tables, false, &[schema]).await?);
            refuse(problems)
        });
        proof
    };
    let databases = Databases::with_own_logins(settings, Arc::new(prove), own_logins);
    Some(TenantDatabases::new(
        databases,
        logins.owner,
        main,
        config.pool_timeout,
    ))
}
