//! The database as the configuration says: a server, reached by the logins of
//! two roles, or the embedded one, where one login takes two roles.

use secrecy::{ExposeSecret, SecretString};

use crate::config::Config;
use crate::db::{Pool, PoolSettings};
use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::provision::probe;

/// The pools of the two roles.
pub(super) struct Data {
    pub(super) app: Pool,
    pub(super) app_role: String,
    pub(super) owner: Option<Pool>,
    pub(super) owner_role: Option<String>,
    /// The login to the application's own database that can do the most.
    pub(super) main: Option<tokio_postgres::Config>,
    #[cfg(feature = "embedded")]
    pub(super) embedded: Option<crate::embedded::EmbeddedServer>,
}

impl Data {
    pub(super) async fn connect(config: &Config) -> Result<Self> {
        let Some(url) = &config.database_url else {
            return Self::embedded(config).await;
        };
        let app = pool(config, login(url)?, config.pool_size);
        // Few: the owner works at start and when tenants come and go.
        let owner_login = config.owner_database_url.as_ref().map(login).transpose()?;
        let main = owner_login.clone().unwrap_or(login(url)?);
        let owner = owner_login.map(|login| pool(config, login, config.pool_size.min(2)));
        let app_role = role(&app, "TENANCY_DATABASE_URL").await?;
        let owner_role = match &owner {
            Some(owner) => Some(role(owner, "TENANCY_OWNER_DATABASE_URL").await?),
            None => None,
        };
        Ok(Self {
            app,
            app_role,
            owner,
            owner_role,
            main: Some(main),
            #[cfg(feature = "embedded")]
            embedded: None,
        })
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
        let mut transaction = pool
            .begin()
            .await
            .map_err(|error| problem(error.to_string()))?;
        transaction
            .conn()
            .batch_execute(&format!(
                "DO $$ BEGIN
                    IF to_regrole('{OWNER}') IS NULL THEN
                        CREATE ROLE {OWNER} NOLOGIN;
                        CREATE ROLE {APP} NOLOGIN;
                        GRANT CREATE ON DATABASE postgres TO {OWNER};
                    END IF;
                    REVOKE TEMPORARY ON DATABASE postgres FROM PUBLIC;
                END $$"
            ))
            .await?;
        transaction.commit().await?;
        Ok(Self {
            app: pool.acting_as(APP),
            app_role: APP.to_owned(),
            owner: Some(pool.acting_as(OWNER)),
            owner_role: Some(OWNER.to_owned()),
            main: None,
            embedded: Some(server),
        })
    }
}

fn login(url: &SecretString) -> Result<tokio_postgres::Config> {
    // Checked when the configuration was read.
    url.expose_secret().parse().map_err(Error::internal)
}

fn pool(config: &Config, login: tokio_postgres::Config, size: u32) -> Pool {
    Pool::new(PoolSettings {
        login,
        size,
        wait: config.pool_timeout,
        prepared_statements: config.prepared_statements,
    })
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
