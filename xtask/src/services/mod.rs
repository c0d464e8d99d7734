//! Throwaway servers: private data, free ports, gone when their guard drops.
//!
//! Tests need a PostgreSQL in which they are superuser and a Redis they may
//! fill. Servers of our own give the same on every machine, whatever runs
//! there already. A server named in the environment takes their place.

pub(crate) mod folder;
mod install;
mod postgres;
pub(crate) mod python;
mod record;
mod redis;
mod server;
pub(crate) mod tools;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::Read as _;

use anyhow::{Context as _, Result};

use self::folder::Folder;
use self::postgres::Postgres;
use self::server::Server;
use self::tools::{Need, Tools};
use crate::process::Account;

/// A superuser's URL of the PostgreSQL that tests use.
pub(crate) const POSTGRES_URL: &str = "TENANCY_TEST_POSTGRES_URL";
/// The URL of the Redis that tests use.
pub(crate) const REDIS_URL: &str = "TENANCY_TEST_REDIS_URL";
/// The folder of `postgres` and `initdb`, for tests that restart a server.
const POSTGRES_BIN: &str = "TENANCY_TEST_POSTGRES_BIN";
/// The path of a Chromium, for tests of pages.
const CHROMIUM: &str = "TENANCY_TEST_CHROMIUM";
/// The path of the `pgbouncer` program.
const PGBOUNCER: &str = "TENANCY_TEST_PGBOUNCER";
/// A Python that has PyJWT, Schemathesis and a check of OpenAPI descriptions.
pub(crate) const PYTHON: &str = "TENANCY_TEST_PYTHON";
/// The path of the `redis-server` program, for tests that kill a server.
const REDIS_SERVER: &str = "TENANCY_TEST_REDIS_SERVER";
/// The user that servers started by tests must run as; unset when not root.
const RUN_AS: &str = "TENANCY_TEST_RUN_AS";

/// Which servers are given, and so not started.
pub(crate) struct Want {
    postgres_url: Option<String>,
    redis_url: Option<String>,
}

impl Want {
    /// Start both.
    pub(crate) fn both() -> Self {
        Self {
            postgres_url: None,
            redis_url: None,
        }
    }

    /// Start what the environment does not name.
    pub(crate) fn from_env() -> Self {
        let given = |name| env::var(name).ok().filter(|url| !url.is_empty());
        Self {
            postgres_url: given(POSTGRES_URL),
            redis_url: given(REDIS_URL),
        }
    }

    /// The programs this takes.
    pub(crate) fn needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        if self.postgres_url.is_none() {
            needs.push(Need::Postgres);
        }
        if self.redis_url.is_none() {
            needs.push(Need::Redis);
        }
        needs
    }

    /// One line for people.
    pub(crate) fn describe(&self) -> String {
        // Not the URLs: they hold passwords, and this goes into public logs.
        let own = |given: bool| if given { "given" } else { "throwaway" };
        let postgres = own(self.postgres_url.is_some());
        let redis = own(self.redis_url.is_some());
        format!("{postgres} PostgreSQL, {redis} Redis")
    }
}

/// Running servers. Dropping it stops those it started and removes their data.
pub(crate) struct Services {
    // Declared before `folder`: fields drop in this order, and a server must
    // end before its data goes.
    servers: Vec<Server>,
    folder: Folder,
    account: Option<Account>,
    postgres: Option<Postgres>,
    postgres_url: String,
    redis_url: String,
}

impl Services {
    /// Starts what `want` does not give and waits until it answers.
    pub(crate) fn start(tools: &Tools, want: &Want) -> Result<Self> {
        folder::remove_stale();
        let account = Account::to_drop_to();
        let folder = Folder::create(account.as_ref())?;
        let mut services = Self {
            servers: Vec::new(),
            folder,
            account,
            postgres: None,
            postgres_url: String::new(),
            redis_url: String::new(),
        };
        if let Some(url) = &want.postgres_url {
            services.postgres_url.clone_from(url);
        } else {
            services.start_postgres(tools)?;
        }
        if let Some(url) = &want.redis_url {
            services.redis_url.clone_from(url);
        } else {
            services.start_redis(tools)?;
        }
        Ok(services)
    }

    fn start_postgres(&mut self, tools: &Tools) -> Result<()> {
        let postgres = Postgres::create(tools.postgres()?, self.folder.data(), &self.account)?;
        let server = server::with_free_port(|port| postgres.start(port, &mut self.folder))?;
        self.postgres_url = postgres.superuser_url(server.port());
        self.postgres = Some(postgres);
        self.servers.push(server);
        Ok(())
    }

    fn start_redis(&mut self, tools: &Tools) -> Result<()> {
        let server = server::with_free_port(|port| {
            redis::start(tools.redis()?, port, &mut self.folder, &self.account)
        })?;
        self.redis_url = redis::url(server.port());
        self.servers.push(server);
        Ok(())
    }

    pub(crate) fn postgres_url(&self) -> &str {
        &self.postgres_url
    }

    pub(crate) fn redis_url(&self) -> &str {
        &self.redis_url
    }

    /// What tests learn about the servers.
    pub(crate) fn test_env(&self, tools: &Tools) -> Vec<(&'static str, OsString)> {
        let mut env = vec![
            (POSTGRES_URL, self.postgres_url.clone().into()),
            (REDIS_URL, self.redis_url.clone().into()),
        ];
        env.extend(
            tools
                .postgres
                .as_ref()
                .map(|bin| (POSTGRES_BIN, bin.clone().into())),
        );
        env.extend(
            tools
                .pgbouncer
                .as_ref()
                .map(|path| (PGBOUNCER, path.clone().into())),
        );
        env.extend(
            tools
                .chromium
                .as_ref()
                .map(|path| (CHROMIUM, path.clone().into())),
        );
        env.extend(
            tools
                .redis
                .as_ref()
                .map(|path| (REDIS_SERVER, path.clone().into())),
        );
        env.extend(
            self.account
                .as_ref()
                .map(|account| (RUN_AS, account.name.into())),
        );
        env
    }

    /// Creates the roles and the database that an application starts from.
    pub(crate) fn create_development_database(
        &self,
        tools: &Tools,
    ) -> Result<postgres::DevelopmentDatabase> {
        let postgres = self
            .postgres
            .as_ref()
            .context("no PostgreSQL was started")?;
        let port = self
            .servers
            .first()
            .context("no server was started")?
            .port();
        postgres.create_development_database(tools.postgres()?, port)
    }

    /// An error once a server has ended by itself.
    pub(crate) fn check_running(&mut self) -> Result<()> {
        self.servers.iter_mut().try_for_each(Server::check_running)
    }

    /// Lets the servers live on.
    pub(crate) fn keep(mut self) -> Result<()> {
        self.folder.keep()?;
        for server in &mut self.servers {
            server.keep();
        }
        Ok(())
    }
}

/// A password that needs no escaping in a URL, a file or an SQL literal.
fn password() -> Result<String> {
    let mut bytes = [0_u8; 16];
    fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("cannot read random bytes")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_given_is_needed() {
        let given = Want {
            postgres_url: Some("postgres://x".into()),
            redis_url: None,
        };
        assert_eq!(given.needs(), [Need::Redis]);
        assert_eq!(given.describe(), "given PostgreSQL, throwaway Redis");
        assert_eq!(Want::both().needs(), [Need::Postgres, Need::Redis]);
    }

    #[test]
    fn passwords_are_plain_and_differ() {
        let (one, two) = (password().unwrap(), password().unwrap());
        assert_ne!(one, two);
        assert!(one.len() == 32 && one.chars().all(|c| c.is_ascii_hexdigit()));
    }
}
