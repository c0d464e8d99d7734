use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::data::Data;
use crate::admin::Works;
use crate::admit::Admission;
use crate::db::{Databases, PoolNumbers, TenantDb, TenantPool};
#[cfg(feature = "domains")]
use crate::domains::{self, Domains};
#[cfg(feature = "embedded")]
use crate::embedded::EmbeddedError;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::isolation::Isolation;
use crate::jobs::{Dispatcher, JobNumbers};
use crate::limit::Limits;
use crate::provision::{Provisioner, Tables, TenantDatabases};
use crate::registry::{TenantCache, TenantRegistry};
#[cfg(feature = "encryption")]
use crate::secrets::{self, Secrets};
use crate::system::{self, SystemAccess};
use crate::tenant::{NewTenant, Slug, Tenant};

/// How long streams may take to end, and what operators have begun.
const STREAMS: Duration = Duration::from_secs(2);

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
    pub(super) admission: Admission,
    pub(super) provisioner: Provisioner,
    pub(super) registry: Arc<dyn TenantRegistry>,
    /// What this process remembers of it.
    pub(super) tenants: TenantCache,
    pub(super) seeds: Vec<NewTenant>,
    pub(super) system: Option<SystemAccess>,
    #[cfg(feature = "encryption")]
    pub(super) secrets: Option<Secrets>,
    #[cfg(feature = "domains")]
    pub(super) domains: Option<Domains>,
    pub(super) events: Events,
    /// What operators have begun.
    pub(super) operators: Works,
    /// Hears of changed tenants and makes places for those to come, until this is
    /// dropped.
    pub(super) tending: JoinSet<()>,
    /// What begins tenants' jobs, where there is a database.
    pub(super) jobs: Option<Dispatcher>,
    pub(super) data: Option<(TenantPool, Tables, Isolation, Data)>,
}

impl Tenancy {
    /// How often tenants may come.
    pub(super) fn with_limits(mut self, limits: Limits) -> Self {
        self.admission = self.admission.limits(limits);
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

    /// What is told to those who listen to a tenant.
    #[must_use]
    pub fn events(&self) -> &Events {
        &self.events
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

    /// How many jobs of tenants there are in this process, if there is a database.
    #[must_use]
    pub fn jobs(&self) -> Option<JobNumbers> {
        self.jobs.as_ref().map(|jobs| jobs.jobs().numbers())
    }

    /// The pools of tenants' own databases, for a look at their connections.
    #[must_use]
    pub fn databases(&self) -> Option<&Databases> {
        let (_, tables, _, _) = self.data.as_ref()?;
        tables.databases().ok().map(TenantDatabases::pools)
    }

    /// Ends what streams, waits a moment for what operators have begun, cuts off the jobs
    /// that run, closes the pools, and stops the
    /// embedded database if it is used. Routers must be dropped before, as their
    /// handlers hold the pools.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] when the embedded database does not stop in order.
    pub async fn stop(mut self) -> Result<()> {
        self.events.stop();
        self.events.finish(STREAMS).await;
        if timeout(STREAMS, self.operators.done()).await.is_err() {
            tracing::warn!("what operators have begun still goes on, and is cut off");
        }
        self.tending.shutdown().await;
        if let Some(jobs) = self.jobs.take() {
            jobs.stop().await;
        }
        #[cfg(feature = "embedded")]
        if let Some((.., mut data)) = self.data {
            let embedded = data.embedded.take();
            drop((
                self.admission,
                self.provisioner,
                self.registry,
                self.tenants,
                self.events,
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
