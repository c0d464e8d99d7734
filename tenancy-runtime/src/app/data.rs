//! The database as the configuration says: a server, reached by the logins of
//! two or three roles, or the embedded one, where one login takes all three.

#[cfg(feature = "embedded")]
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};

use crate::config::Config;
use crate::db::{Pool, PoolSettings};
use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::provision::migrations;
use crate::provision::probe::{self, LedTo};
use crate::tls;

/// How many connections look tenants up, of which few have to be where they are
/// remembered.
const LOOKUPS: u32 = 2;

/// The pools of the roles.
pub(super) struct Data {
    pub(super) app: Pool,
    pub(super) app_role: String,
    /// For looking tenants up, as the application's role: whoever waits for one of
    /// the requests' own connections says nothing about the registry.
    pub(super) lookups: Pool,
    pub(super) owner: Option<Pool>,
    pub(super) owner_role: Option<String>,
    /// The login to the application's own database that can do the most.
    pub(super) main: Option<tokio_postgres::Config>,
    /// The application's login, where a connection can be kept for itself: none is
    /// behind a pooler, and the embedded database has only one.
    pub(super) own_connection: Option<tokio_postgres::Config>,
    pub(super) system: Option<Pool>,
    pub(super) system_role: Option<String>,
    #[cfg(feature = "embedded")]
    pub(super) embedded: Option<crate::embedded::EmbeddedServer>,
}

impl Data {
    pub(super) async fn connect(config: &Config) -> Result<Self> {
        let Some(url) = &config.database_url else {
            return Self::embedded(config).await;
        };
        let app = pool(config, login(url)?, config.pool_size);
        let lookups = if config.cache_enabled {
            LOOKUPS
        } else {
            config.pool_size
        };
        let lookups = pool(config, login(url)?, lookups);
        // Few: the owner works at start and when tenants come and go.
        let few = config.pool_size.min(migrations::AT_ONCE);
        let owner_login = config.owner_database_url.as_ref().map(login).transpose()?;
        let main = owner_login.clone().unwrap_or(login(url)?);
        let owner = owner_login.map(|login| pool(config, login, few));
        let app_role = role(&app, "TENANCY_DATABASE_URL").await?;
        let owner_role = match &owner {
            Some(owner) => Some(role(owner, "TENANCY_OWNER_DATABASE_URL").await?),
            None => None,
        };
        let system = config.system_database_url.as_ref().map(login).transpose()?;
        let system = system.map(|login| pool(config, login, config.pool_size.min(4)));
        let system_role = match &system {
            Some(system) => Some(role(system, "TENANCY_SYSTEM_DATABASE_URL").await?),
            None => None,
        };
        if let Some(owner) = &owner {
            refuse_two_databases(&app, owner).await?;
        }
        Ok(Self {
            app,
            app_role,
            lookups,
            owner,
            owner_role,
            main: Some(main),
            own_connection: config.prepared_statements.then(|| login(url)).transpose()?,
            system,
            system_role,
            #[cfg(feature = "embedded")]
            embedded: None,
        })
    }

    /// A connection of the owner's beside its pool, where there is a server.
    #[cfg(feature = "encryption")]
    pub(super) fn one_of_owner(&self, config: &Config) -> Option<Pool> {
        let main = self.main.clone().filter(|_| self.owner.is_some());
        main.map(|login| pool(config, login, 1))
    }

    #[cfg(not(feature = "embedded"))]
    async fn embedded(_: &Config) -> Result<Self> {
        Err(Problem::new(
            "TENANCY_DATABASE_URL",
            "is not set, and this build has no embedded database",
            "set it to the application role's login, or build `tenancy` with its feature \
             `embedded`",
        )
        .into())
    }

    #[cfg(feature = "embedded")]
    async fn embedded(config: &Config) -> Result<Self> {
        use diesel_async::SimpleAsyncConnection as _;

        const APP: &str = "tenancy_app";
        const OWNER: &str = "tenancy_owner";
        const SYSTEM: &str = "tenancy_system";
        let problem = |wrong: String| {
            Problem::new(
                "the embedded database",
                wrong,
                "set TENANCY_DATABASE_URL to use a server instead",
            )
        };
        tracing::warn!(
            place = ?config.embedded,
            "TENANCY_DATABASE_URL is not set: an embedded PostgreSQL starts, for development only"
        );
        let server = crate::embedded::EmbeddedServer::start(&config.embedded)
            .await
            .map_err(|error| problem(error.to_string()))?;
        // It has room for one client, which takes a role for each transaction.
        let pool = pool(config, login(&server.url().into())?, 1);
        let begun = first_answer(&pool).await;
        let mut transaction = begun.map_err(|error| problem(error.to_string()))?;
        transaction
            .conn()
            .batch_execute(&format!(
                "DO $$ BEGIN
                    IF to_regrole('{OWNER}') IS NULL THEN
                        CREATE ROLE {OWNER} NOLOGIN;
                        CREATE ROLE {APP} NOLOGIN;
                        GRANT CREATE ON DATABASE postgres TO {OWNER};
                    END IF;
                    IF to_regrole('{SYSTEM}') IS NULL THEN
                        CREATE ROLE {SYSTEM} NOLOGIN BYPASSRLS;
                    END IF;
                    REVOKE TEMPORARY ON DATABASE postgres FROM PUBLIC;
                END $$"
            ))
            .await?;
        transaction.commit().await?;
        Ok(Self {
            app: pool.acting_as(APP),
            lookups: pool.acting_as(APP),
            app_role: APP.to_owned(),
            owner: Some(pool.acting_as(OWNER)),
            owner_role: Some(OWNER.to_owned()),
            main: None,
            own_connection: None,
            system: Some(pool.acting_as(SYSTEM)),
            system_role: Some(SYSTEM.to_owned()),
            embedded: Some(server),
        })
    }
}

/// The first transaction of a database that has just been started, which on a busy
/// machine takes longer than requests may wait.
#[cfg(feature = "embedded")]
async fn first_answer(pool: &Pool) -> Result<crate::db::Transaction> {
    const PATIENCE: Duration = Duration::from_secs(60);
    const PAUSE: Duration = Duration::from_millis(100);
    let begun = Instant::now();
    loop {
        match pool.begin().await {
            Err(Error::Unavailable(reason)) if begun.elapsed() < PATIENCE => {
                tracing::debug!(%reason, "the embedded PostgreSQL does not answer yet");
                tokio::time::sleep(PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

fn login(url: &SecretString) -> Result<tokio_postgres::Config> {
    // Checked when the configuration was read.
    tls::parse(url.expose_secret()).map_err(Error::internal)
}

fn pool(config: &Config, login: tokio_postgres::Config, size: u32) -> Pool {
    Pool::new(PoolSettings {
        login,
        size,
        wait: config.pool_timeout,
        prepared_statements: config.prepared_statements,
    })
}

/// Tables that the owner makes in one database are not in another.
async fn refuse_two_databases(app: &Pool, owner: &Pool) -> Result<()> {
    let (app, owner) = (LedTo::by(app).await?, LedTo::by(owner).await?);
    if app == owner {
        return Ok(());
    }
    Err(Problem::new(
        "TENANCY_DATABASE_URL and TENANCY_OWNER_DATABASE_URL",
        format!(
            "lead to two databases: `{}` and `{}`{}",
            app.name,
            owner.name,
            if app.name == owner.name {
                " of another server"
            } else {
                ""
            }
        ),
        "let both name the application's one database",
    )
    .into())
}

/// The role behind a login; also the first proof that the login works.
async fn role(pool: &Pool, variable: &str) -> Result<String> {
    pool.check_login().await.map_err(|error| {
        let cause = std::error::Error::source(&error).map_or_else(String::new, ToString::to_string);
        Problem::new(
            variable,
            format!("leads to no connection: {cause}"),
            "check that the server runs there and takes this login",
        )
    })?;
    probe::role_of(pool).await
}
