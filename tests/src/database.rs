//! A throwaway database on the server of `TENANCY_TEST_POSTGRES_URL`, with an
//! owner, an application and a system role of its own. Tests run as the application role.

use std::time::Duration;

use tenancy::db::{Pool, PoolSettings, TenantDb};
use tenancy::model::{Layout, ModelDef, ROLL, create_roll};
use tenancy::tenant::{Locator, SchemaName, TenantId, TenantRecord};
use tokio_postgres::types::FromSql;
use tokio_postgres::{Client, Config, NoTls};
use uuid::Uuid;

/// A database with an owner, an application and a system role of its own.
pub struct Database {
    /// Connected as the owner of every table, subject to row-level security.
    pub owner: Client,
    /// Connected as a superuser, for sabotage and for counting what is there.
    pub superuser: Client,
    /// Where the application role logs in.
    pub app: Config,
    superuser_login: Config,
    owner_login: Config,
    system_login: Config,
    app_role: String,
    shared: SchemaName,
    models: &'static [&'static ModelDef],
}

impl Database {
    /// Makes the database with the shared layout of `models`.
    ///
    /// # Panics
    ///
    /// When the server is not there: `cargo xtask test` starts one.
    pub async fn create(models: &'static [&'static ModelDef]) -> Self {
        let mut database = Self::empty().await;
        database.models = models;
        let shared = database.shared.clone();
        database
            .create_schema(&shared, Layout::Shared(&shared))
            .await;
        database
    }

    /// Makes the database without a table: for an application that makes its own.
    ///
    /// # Panics
    ///
    /// When the server is not there: `cargo xtask test` starts one.
    pub async fn empty() -> Self {
        let url = std::env::var("TENANCY_TEST_POSTGRES_URL")
            .expect("TENANCY_TEST_POSTGRES_URL: run `cargo xtask test -- FILTER`");
        Self::empty_on(&url).await
    }

    /// Makes the database on the server that a superuser reaches by `url`.
    ///
    /// # Panics
    ///
    /// When the server is not there.
    pub async fn empty_on(url: &str) -> Self {
        let admin: Config = url.parse().expect("a PostgreSQL URL");
        let id = Uuid::now_v7().simple();
        let (name, owner, app, system) = (
            format!("d_{id}"),
            format!("owner_{id}"),
            format!("app_{id}"),
            format!("system_{id}"),
        );
        connect(&admin)
            .await
            .batch_execute(&format!(
                "CREATE ROLE {owner} LOGIN CREATEDB PASSWORD 'o'; \
                 CREATE ROLE {app} LOGIN PASSWORD 'a'; \
                 CREATE ROLE {system} LOGIN BYPASSRLS PASSWORD 's'"
            ))
            .await
            .expect("roles");
        connect(&admin)
            .await
            .batch_execute(&format!("CREATE DATABASE {name} OWNER {owner}"))
            .await
            .expect("database");
        let login = |user: &str, password: &str| {
            let mut config = admin.clone();
            config.user(user).password(password).dbname(&name);
            config
        };
        let mut superuser_login = admin.clone();
        superuser_login.dbname(&name);
        Self {
            owner: connect(&login(&owner, "o")).await,
            superuser: connect(&superuser_login).await,
            superuser_login,
            app: login(&app, "a"),
            owner_login: login(&owner, "o"),
            system_login: login(&system, "s"),
            app_role: app,
            shared: "shared".parse().expect("a schema name"),
            models: &[],
        }
    }

    /// The application's role.
    pub fn app_role(&self) -> &str {
        &self.app_role
    }

    /// The role that owns the tables.
    ///
    /// # Panics
    ///
    /// Never: the login names its user.
    pub fn owner_role(&self) -> &str {
        self.owner_login.get_user().expect("a user")
    }

    /// The role for work across tenants.
    ///
    /// # Panics
    ///
    /// Never: the login names its user.
    pub fn system_role(&self) -> &str {
        self.system_login.get_user().expect("a user")
    }

    /// How the system role logs in.
    pub fn system_url(&self) -> String {
        url(&self.system_login, None)
    }

    /// A plain connection of the system role.
    pub async fn raw_system(&self) -> Client {
        connect(&self.system_login).await
    }

    /// How the application logs in.
    pub fn app_url(&self) -> String {
        url(&self.app, None)
    }

    /// How the owner logs in.
    pub fn owner_url(&self) -> String {
        url(&self.owner_login, None)
    }

    /// A plain connection of the application's role.
    pub async fn raw(&self) -> Client {
        connect(&self.app).await
    }

    /// The one value that a superuser's query returns.
    pub async fn value<T: for<'a> FromSql<'a>>(&self, sql: &str) -> T {
        let row = self.superuser.query_one(sql, &[]).await;
        row.expect("one row").get(0)
    }

    /// Runs statements as a superuser. What they change of tenants every process
    /// that listens has heard of when this returns.
    pub async fn sabotage(&self, sql: &str) {
        self.superuser.batch_execute(sql).await.expect("sabotage");
        if sql.contains("tenancy.tenants") {
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    /// Makes the same roles on another server, which a superuser reaches by `url`.
    ///
    /// # Panics
    ///
    /// When the server is not there.
    pub async fn roles_on(&self, url: &str) {
        let admin: Config = url.parse().expect("a PostgreSQL URL");
        let (owner, app) = (self.owner_role(), self.app_role());
        let roles = format!(
            "CREATE ROLE {owner} LOGIN CREATEDB PASSWORD 'o'; CREATE ROLE {app} LOGIN PASSWORD 'a'"
        );
        connect(&admin)
            .await
            .batch_execute(&roles)
            .await
            .expect("roles");
    }

    /// The names of tenants' databases to which the application is connected.
    pub async fn connected(&self) -> Vec<String> {
        let sql = format!(
            "SELECT datname::text FROM pg_stat_activity WHERE usename = '{}' \
             AND datname LIKE 't\\_%' ORDER BY 1",
            self.app_role
        );
        let rows = self.superuser.query(&sql, &[]).await.expect("the sessions");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The names of the databases that the owner has made for tenants.
    pub async fn own_databases(&self) -> Vec<String> {
        let sql = format!(
            "SELECT datname::text FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba \
             WHERE datname LIKE 't\\_%' AND r.rolname = '{}' ORDER BY 1",
            self.owner_role()
        );
        let rows = self.superuser.query(&sql, &[]).await.expect("databases");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// A connection of the owner to another database of the server.
    pub async fn owner_at(&self, database: &str) -> Client {
        connect(self.owner_login.clone().dbname(database)).await
    }

    /// Another connection of a superuser, after the server was killed.
    pub async fn raw_superuser(&self) -> Client {
        connect(&self.superuser_login).await
    }

    /// A superuser's connection to the database in which a tenant's data is.
    pub async fn superuser_at(&self, tenant: &TenantRecord) -> Client {
        let mut login = self.superuser_login.clone();
        if let Some(Locator::Database(address, _)) = &tenant.locator {
            login.dbname(address.name().as_str());
        }
        connect(&login).await
    }

    /// A plain connection of the application's role to the database in which a
    /// tenant's data is.
    pub async fn raw_at(&self, tenant: &TenantRecord) -> Client {
        let mut login = self.app.clone();
        if let Some(Locator::Database(address, _)) = &tenant.locator {
            login.dbname(address.name().as_str());
        }
        connect(&login).await
    }

    /// Waits until no session of the application's roles is in a
    /// transaction: what was abandoned is closed, but not at once.
    ///
    /// # Panics
    ///
    /// When one stays in a transaction for five seconds.
    pub async fn idle(&self) {
        let busy = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
             AND usename IN ('{}', '{}', '{}') AND state <> 'idle' AND xact_start IS NOT NULL",
            self.app_role,
            self.owner_role(),
            self.system_role()
        );
        for _ in 0..500 {
            if self.value::<i64>(&busy).await == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("a session is stuck in its transaction");
    }

    /// Waits until so many processes hear of changes of tenants.
    pub async fn listening(&self, count: i64) {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
             AND application_name = 'tenancy changes' AND query = ''";
        while self.value::<i64>(sql).await != count {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // From the next answer on they count as told.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    /// A pool of the application role, through `port` if given.
    pub fn pool(&self, size: u32, port: Option<u16>) -> Pool {
        self.new_pool(size, port, true)
    }

    /// A pool of the application role through a transaction-mode pooler.
    pub fn pool_behind_pooler(&self, size: u32, port: u16) -> Pool {
        self.new_pool(size, Some(port), false)
    }

    /// A pool of a superuser, as the embedded database has one.
    pub fn superuser_pool(&self, size: u32) -> Pool {
        Pool::new(PoolSettings {
            login: self.superuser_login.clone(),
            size,
            wait: Duration::from_secs(10),
            prepared_statements: true,
        })
    }

    fn new_pool(&self, size: u32, port: Option<u16>, prepared_statements: bool) -> Pool {
        Pool::new(PoolSettings {
            login: url(&self.app, port).parse().expect("a URL"),
            size,
            wait: Duration::from_secs(10),
            prepared_statements,
        })
    }

    /// A tenant in the shared layout.
    pub async fn in_shared_tables(&self, pool: &Pool) -> TenantDb {
        let id = TenantId::generate();
        let enrol = format!("INSERT INTO {}.{ROLL} VALUES ('{id}')", self.shared);
        self.owner.batch_execute(&enrol).await.expect("the roll");
        self.bind(pool, id, &Locator::Shared(self.shared.clone()))
    }

    /// A tenant with a schema of its own.
    pub async fn in_own_schema(&self, pool: &Pool) -> TenantDb {
        let id = TenantId::generate();
        let locator = Locator::dedicated_schema(id);
        let layout = Layout::Dedicated {
            own: locator.schema(),
            shared: &self.shared,
        };
        self.create_schema(locator.schema(), layout).await;
        self.bind(pool, id, &locator)
    }

    fn bind(&self, pool: &Pool, id: TenantId, locator: &Locator) -> TenantDb {
        tenancy::__forge::forge(pool, &self.shared, id, locator.clone())
            .expect("a place for its data")
    }

    async fn create_schema(&self, schema: &SchemaName, layout: Layout<'_>) {
        let mut statements = vec![
            format!("CREATE SCHEMA {}", schema.quoted()),
            format!(
                "GRANT USAGE ON SCHEMA {} TO {}",
                schema.quoted(),
                self.app_role
            ),
        ];
        if matches!(layout, Layout::Shared(_)) {
            statements.push(create_roll(schema));
        }
        for model in self.models {
            statements.extend(model.create(layout, &[&self.app_role]));
        }
        for model in self.models {
            statements.extend(model.foreign_keys(layout));
        }
        self.owner
            .batch_execute(&statements.join(";"))
            .await
            .expect("the generated DDL");
    }
}

/// A login as a URL, through `port` if given.
fn url(login: &Config, port: Option<u16>) -> String {
    let host = match &login.get_hosts()[0] {
        tokio_postgres::config::Host::Tcp(host) => host.clone(),
        tokio_postgres::config::Host::Unix(path) => path.display().to_string(),
    };
    let port = port.unwrap_or(login.get_ports()[0]);
    let user = login.get_user().expect("a user");
    let password = login.get_password().expect("a password");
    let password = String::from_utf8_lossy(password);
    let name = login.get_dbname().expect("a database");
    format!("postgres://{user}:{password}@{host}:{port}/{name}")
}

async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}
