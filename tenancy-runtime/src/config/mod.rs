//! What may change per deployment: read once at start from the environment and
//! a `.env` file, over the defaults that the application's attribute declares.
//!
//! Every problem is reported at once and by name, an unknown `TENANCY_*` name is
//! one of them, and no message shows a secret. The names live in one table
//! ([`variables`]); reading, the check for unknown names and the documentation
//! come from it.
//!
//! Reading is a few functions of our own and not a configuration crate: a
//! deployment's mistake must be refused, and the general crates convert it
//! (`config` reads a pool size of `yes` as 1 and `on` as a timeout of one
//! second), quote the value in their errors and stop at the first.

mod admin;
mod database;
mod encryption;
mod jwt;
mod limits;
#[cfg(test)]
mod properties;
mod read;
mod resolution;
mod sources;
mod template;
#[cfg(test)]
mod tests;
mod variables;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::db::TenantLogins;
use crate::http::TrustedProxies;
use crate::isolation::Isolation;
use crate::problem::Problem;
use crate::resolve::Resolution;
#[cfg(feature = "encryption")]
use crate::sealing::KeyRing;

pub(crate) use admin::weakness_of;
pub use limits::RateLimits;
pub(crate) use limits::no_choice;
pub use variables::{Variable, variables};

/// The configuration of one deployment. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The application role's login; `None` leaves it to the embedded database.
    pub database_url: Option<SecretString>,
    /// The owner's login, for migrations and provisioning.
    pub owner_database_url: Option<SecretString>,
    /// The application role's login to the databases that tenants have of their
    /// own, and the owner's; `None` where no server is used.
    pub tenant_databases: Option<TenantLogins>,
    /// The system role's login, for work across tenants; `None` does without.
    pub system_database_url: Option<SecretString>,
    /// The address to serve on.
    pub listen: SocketAddr,
    /// How tenants are kept apart; `None` in an application without a database.
    pub isolation: Option<Isolation>,
    /// Where a request names its tenant: all of these that do must agree.
    pub resolution: Vec<Resolution>,
    /// The proxies that are believed who sent a request.
    pub trusted_proxies: TrustedProxies,
    /// Whether tenants are looked up in memory first.
    pub cache_enabled: bool,
    /// The most tenants that are remembered.
    pub cache_size: u32,
    /// How long active tenants are served while the registry cannot be reached.
    pub cache_outage_limit: Duration,
    /// Whether look-ups are shared with other processes in Redis, which is then
    /// trusted like the registry.
    pub cache_second_level: bool,
    /// The most tenants there may be.
    pub max_tenants: Option<u32>,
    /// How many schemas or databases are made before a tenant wants one.
    pub standby: u32,
    /// The most connections to the database.
    pub pool_size: u32,
    /// The most connections to one tenant's own database.
    pub database_pool_size: u32,
    /// The most connections to all tenants' own databases together.
    pub max_connections: u32,
    /// After which time an unused connection to a tenant's own database is
    /// closed.
    pub pool_idle_timeout: Duration,
    /// How long a request waits for a connection.
    pub pool_timeout: Duration,
    /// Whether statements stay prepared between uses of a connection.
    pub prepared_statements: bool,
    /// How long requests and jobs in flight get to finish at shutdown.
    pub shutdown_timeout: Duration,
    /// How many jobs of tenants run at a time.
    pub jobs: u32,
    /// How many jobs wait for each tenant.
    pub jobs_waiting: u32,
    /// How many sockets and streams each tenant may have open in one process.
    pub streams_per_tenant: u32,
    /// Where the embedded database lives, if it is the one used.
    pub embedded: Embedded,
    /// How often tenants may come, and where that is counted.
    pub rate_limits: RateLimits,
    /// The bearer token of operators, if there is one.
    pub admin_token: Option<SecretString>,
    /// Whether [`OpenGuard`](crate::admin::OpenGuard) may be reached from elsewhere.
    pub admin_open: bool,
    /// The keys that tenants' secrets are encrypted with; without there are none.
    #[cfg(feature = "encryption")]
    pub encryption_keys: Option<KeyRing>,
}

/// Where an embedded database lives; an [`App`](crate::app::App) puts it into
/// `./.tenancy/NAME` unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Embedded {
    /// In a folder that is gone when the database stops.
    Temporary,
    /// In a folder that keeps it from one start to the next.
    Folder(PathBuf),
}

impl Default for Embedded {
    fn default() -> Self {
        Self::Folder(PathBuf::from("./.tenancy"))
    }
}

/// What the application's attribute declares; the environment comes over it.
#[derive(Debug, Clone, Default)]
pub struct Defaults {
    /// The isolation; `None` in an application without a database.
    pub isolation: Option<Isolation>,
    /// The application role's login to tenants' own databases.
    pub database_url_template: Option<SecretString>,
    /// Where a request names its tenant; none is the header `X-Tenant-ID`.
    pub resolution: Vec<Resolution>,
    /// Where the embedded database lives, unless it is `./.tenancy`.
    pub embedded: Option<Embedded>,
}

impl Config {
    /// Reads the process's environment, and a `.env` file in the working
    /// directory or the nearest folder above it. Where both name a variable,
    /// the environment wins. The file is not exported to the process, and
    /// names in it that do not begin with `TENANCY_` are skipped.
    ///
    /// # Errors
    ///
    /// Every [`Problem`] there is, never an empty list.
    pub fn load(defaults: Defaults) -> Result<Self, Vec<Problem>> {
        let sources = sources::Sources::of_process();
        Self::from_sources(defaults, sources)
    }

    /// Reads variables that are given: what [`load`](Self::load) does once it
    /// has them. Names that do not begin with `TENANCY_` are skipped.
    ///
    /// # Errors
    ///
    /// Every [`Problem`] there is, never an empty list.
    pub fn from_vars(
        defaults: Defaults,
        vars: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Problem>> {
        read::config(read::Reader::new(vars), defaults)
    }

    fn from_sources(defaults: Defaults, sources: sources::Sources) -> Result<Self, Vec<Problem>> {
        let mut problems = sources.problems;
        match Self::from_vars(defaults, sources.vars) {
            Ok(config) if problems.is_empty() => Ok(config),
            Ok(_) => Err(problems),
            Err(more) => {
                problems.extend(more);
                Err(problems)
            }
        }
    }
}
