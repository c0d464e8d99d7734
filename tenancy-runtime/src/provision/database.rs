use std::time::Duration;

use diesel::sql_types::Text;
use tokio::time::{Instant, sleep};

use crate::db::{DatabaseLogin, Databases, Pool, PoolSettings, TenantLogins};
use crate::error::{Error, Result};
use crate::model::quoted;
use crate::problem::Problem;
use crate::provision::probe::LedTo;
use crate::tenant::{DatabaseAddress, Locator, SchemaName, TenantId};

/// Takes from everybody what the owner has not by itself. A database's name is its own
/// identifier.
const SHUT: &str = "
    REVOKE ALL ON DATABASE \"{name}\" FROM PUBLIC;
    DO $$ DECLARE let_in text; BEGIN
        FOR let_in IN
            SELECT DISTINCT a.grantee::regrole::text
            FROM pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a
            WHERE d.datname = '{name}' AND a.grantee NOT IN (0, d.datdba)
        LOOP
            EXECUTE format('REVOKE ALL ON DATABASE {name} FROM %s', let_in);
        END LOOP;
    END $$";

/// How long sessions get to end before a database is dropped.
const ENDING: Duration = Duration::from_secs(10);

/// The databases that tenants have of their own, as those who make and drop them
/// see them.
#[derive(Debug, Clone)]
pub struct TenantDatabases {
    pools: Databases,
    logins: TenantLogins,
    /// The application's own database, from which others of its server are made, as
    /// far as these logins lead there.
    main: Option<tokio_postgres::Config>,
    wait: Duration,
}

impl TenantDatabases {
    /// Databases that `owner` makes for those who are in `pools`; `main` is the login
    /// to the application's own one, and `wait` the longest time for a connection.
    #[must_use]
    pub fn new(
        pools: Databases,
        owner: Option<DatabaseLogin>,
        main: tokio_postgres::Config,
        wait: Duration,
    ) -> Self {
        Self {
            logins: TenantLogins::of(pools.login().clone(), owner),
            pools,
            main: Some(main),
            wait,
        }
    }

    /// The same by other logins, which are a tenant's own.
    #[must_use]
    pub(super) fn by(self, logins: TenantLogins) -> Self {
        Self {
            logins,
            main: None,
            ..self
        }
    }

    /// The application role's pools.
    #[must_use]
    pub fn pools(&self) -> &Databases {
        &self.pools
    }

    /// Where the database of a new tenant will be.
    pub(super) fn place_for(&self, id: TenantId) -> Result<Locator> {
        let place = self.logins.app.place_for(id);
        place.ok_or_else(|| Error::internal("the template makes no database's name"))
    }

    fn owner(&self) -> Result<&DatabaseLogin> {
        self.logins.owner.as_ref().ok_or_else(|| {
            Error::unavailable(Problem::new(
                "TENANCY_OWNER_DATABASE_URL",
                "is not set, and only the owner makes databases",
                "set it to the owner's login",
            ))
        })
    }

    /// A pool of the owner in the tenant's database.
    pub(crate) fn open(&self, address: &DatabaseAddress) -> Result<Pool> {
        Ok(self.connect(self.owner()?.to(address)))
    }

    /// A pool of `login` in a database of the same server that is always there.
    fn beside(&self, login: &DatabaseLogin, address: &DatabaseAddress) -> Pool {
        let on_same_server = self.main.as_ref().and_then(|main| {
            let there = login.to_database(address, main.get_dbname()?);
            let port = main.get_ports().first().unwrap_or(&5432);
            let same =
                there.get_hosts() == main.get_hosts() && there.get_ports().first() == Some(port);
            same.then_some(there)
        });
        self.connect(on_same_server.unwrap_or_else(|| login.to_database(address, "postgres")))
    }

    fn connect(&self, login: tokio_postgres::Config) -> Pool {
        Pool::new(PoolSettings {
            login,
            size: 1,
            wait: self.wait,
            prepared_statements: true,
        })
    }

    /// Fails where the server does not answer.
    pub(super) async fn reach(&self, address: &DatabaseAddress) -> Result<()> {
        self.beside(self.owner()?, address).check_login().await
    }

    /// Fails where the server does not take the logins: the owner's, and the other one
    /// where that is to get in.
    pub(super) async fn reach_by_own(&self, address: &DatabaseAddress, both: bool) -> Result<()> {
        let app = ("the login of the application's role", &self.logins.app);
        let app = both.then_some(app);
        let owner = ("the owner's login", self.owner()?);
        for (about, login) in app.into_iter().chain([owner]) {
            let reached = self.beside(login, address).check_login().await;
            reached.map_err(|error| {
                let cause = std::error::Error::source(&error);
                let cause = cause.map_or_else(String::new, ToString::to_string);
                Error::unavailable(Problem::new(
                    about,
                    format!("leads to no connection: {cause}"),
                    "check that the server runs there, takes this login, and has a database \
                     `postgres` that both may connect to",
                ))
            })?;
        }
        Ok(())
    }

    /// Proves the database as the application's role finds it.
    pub(super) async fn prove(&self, address: &DatabaseAddress, own: &SchemaName) -> Result<()> {
        let app = &self.logins.app;
        let role = app.role().unwrap_or_default().to_owned();
        let pool = self.connect(app.to(address));
        self.pools.prove_as(pool, own, role).await
    }

    /// Makes the database, unless it is there: its name is the tenant's own, so an
    /// earlier attempt has made it.
    ///
    /// # Errors
    ///
    /// [`Error::PlaceTaken`] when it belongs to another role.
    pub(super) async fn create(&self, address: &DatabaseAddress) -> Result<()> {
        let server = self.beside(self.owner()?, address);
        server.check_login().await?;
        match find(&server, address).await? {
            None => {
                may_create(&server).await?;
                let sql = format!("CREATE DATABASE {}", address.name().quoted());
                server.run(&sql).await
            }
            Some(Found { ours: true, .. }) => Ok(()),
            Some(_) => Err(taken(address)),
        }
    }

    /// Whether the database is there, and what of it.
    ///
    /// # Errors
    ///
    /// [`Error::PlaceTaken`] when it belongs to another role.
    pub(super) async fn state(&self, address: &DatabaseAddress) -> Result<State> {
        let server = self.beside(self.owner()?, address);
        server.check_login().await?;
        match find(&server, address).await? {
            None => Ok(State::Gone),
            Some(Found { ours: false, .. }) => Err(taken(address)),
            Some(Found { whole: true, .. }) => Ok(State::Whole),
            Some(_) => Ok(State::HalfDropped),
        }
    }

    /// Drops the database, into which nobody is let any more, with the connections to
    /// it ended. One that is gone already is no error.
    pub(super) async fn drop(&self, address: &DatabaseAddress) -> Result<()> {
        match self.state(address).await? {
            State::Gone => return Ok(()),
            State::Whole => self.shut(address).await?,
            // Nobody is let in, nor can it be changed.
            State::HalfDropped => self.pools.close(address),
        }
        let owner = self.beside(self.owner()?, address);
        let sql = format!("DROP DATABASE IF EXISTS {}", address.name().quoted());
        let start = Instant::now();
        loop {
            match owner.run(&sql).await {
                Err(_) if start.elapsed() < ENDING => {
                    self.try_to_end_sessions(address).await;
                    sleep(Duration::from_millis(50)).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Lets nobody in any more but the owner, whoever was let in since, and ends the
    /// sessions that are there.
    pub(super) async fn shut(&self, address: &DatabaseAddress) -> Result<()> {
        let owner = self.beside(self.owner()?, address);
        owner
            .run(&SHUT.replace("{name}", address.name().as_str()))
            .await?;
        self.pools.close(address);
        self.try_to_end_sessions(address).await;
        Ok(())
    }

    /// A role that is let in nowhere any more ends nothing; where it has sessions yet, the
    /// database is not dropped.
    async fn try_to_end_sessions(&self, address: &DatabaseAddress) {
        if let Err(error) = self.end_sessions(address).await {
            tracing::warn!(database = %address, %error, "its sessions are not ended");
        }
    }

    /// Lets a role in no more.
    pub(super) async fn dismiss(&self, address: &DatabaseAddress, role: &str) -> Result<()> {
        let (name, role) = (address.name().quoted(), quoted(role));
        let owner = self.beside(self.owner()?, address);
        let sql = format!("REVOKE ALL ON DATABASE {name} FROM {role}");
        owner.run(&sql).await
    }

    /// The roles that log in.
    pub(super) fn roles(&self) -> Vec<&str> {
        let TenantLogins { app, owner } = &self.logins;
        let owner = owner.as_ref();
        [Some(app), owner]
            .into_iter()
            .filter_map(|login| login?.role())
            .collect()
    }

    /// Where the owner gets to work on the database's server.
    pub(super) async fn beside_it(&self, address: &DatabaseAddress) -> Result<LedTo> {
        LedTo::by(&self.beside(self.owner()?, address)).await
    }

    /// A role may end its own sessions and no others, and the owner belongs to
    /// no other role: so each ends its own.
    pub(super) async fn end_sessions(&self, address: &DatabaseAddress) -> Result<()> {
        let app = self.beside(&self.logins.app, address);
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
             WHERE datname = '{}' AND usename = current_user",
            address.name()
        );
        app.run(&sql).await
    }

    /// The statements that let the application in, and nobody else.
    pub(super) fn access(&self, address: &DatabaseAddress, app_role: &str) -> String {
        let (name, role) = (address.name().quoted(), quoted(app_role));
        format!(
            "REVOKE ALL ON DATABASE {name} FROM PUBLIC; \
             GRANT CONNECT ON DATABASE {name} TO {role}"
        )
    }
}

fn taken(address: &DatabaseAddress) -> Error {
    Error::PlaceTaken(Problem::new(
        format!("the database {address}"),
        "belongs to another role and is left alone",
        "if the data in it is this tenant's, make the owner's role its owner",
    ))
}

/// How a database stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// There is none.
    Gone,
    /// As it was made.
    Whole,
    /// The server went down while it dropped it: all that can be done with it is to
    /// drop it again (<https://www.postgresql.org/docs/15/release-15-4.html>).
    HalfDropped,
}

#[derive(diesel::QueryableByName)]
struct Found {
    /// Whether it is the owner's own.
    #[diesel(sql_type = diesel::sql_types::Bool)]
    ours: bool,
    #[diesel(sql_type = diesel::sql_types::Bool)]
    whole: bool,
}

async fn find(server: &Pool, address: &DatabaseAddress) -> Result<Option<Found>> {
    let query = diesel::sql_query(
        "SELECT pg_get_userbyid(datdba) = current_user AS ours, datconnlimit <> -2 AS whole \
         FROM pg_catalog.pg_database WHERE datname = $1",
    );
    let query = query.bind::<Text, _>(address.name().to_string());
    let rows: Vec<Found> = server.read(query).await?;
    Ok(rows.into_iter().next())
}

/// Names what the owner's role lacks to make databases.
async fn may_create(server: &Pool) -> Result<()> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        role: String,
    }
    let query = diesel::sql_query(
        "SELECT rolname::text AS role FROM pg_catalog.pg_roles \
         WHERE rolname = current_user AND NOT rolcreatedb AND NOT rolsuper",
    );
    let rows: Vec<Row> = server.read(query).await?;
    let Some(Row { role }) = rows.into_iter().next() else {
        return Ok(());
    };
    Err(Error::unavailable(Problem::new(
        format!("the owner's role `{role}`"),
        "may not make databases, and the isolation `database` makes one for each tenant",
        format!("run: ALTER ROLE {} CREATEDB", quoted(&role)),
    )))
}
