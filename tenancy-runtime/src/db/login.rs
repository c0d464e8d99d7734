use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::config::Host;

use crate::tenant::{DatabaseAddress, DatabaseName, Locator, TenantId};
use crate::tls;

/// What stands for the database's name in a template.
pub const PLACEHOLDER: &str = "{database_name}";

/// The longest name that a tenant's id gives: `t_` and 32 digits.
const LONGEST: usize = 34;

/// One role's login to the databases of tenants:
/// `postgres://user:password@host:5432/{database_name}`.
///
/// New databases are made on the server that it names. Those that are there
/// already are where their locator says; the login to them is the same.
#[derive(Debug, Clone)]
pub struct DatabaseLogin {
    /// As it was given, to be kept.
    #[cfg(feature = "encryption")]
    template: SecretString,
    config: tokio_postgres::Config,
    host: String,
    port: u16,
    before: String,
    after: String,
    /// The server as locators name it, where this role goes another way there
    /// than the application: past a pooler.
    stands_for: Option<(String, u16)>,
}

impl DatabaseLogin {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// What is wrong with it, without quoting it: it may hold a password.
    pub fn from_template(template: &SecretString) -> Result<Self, String> {
        let text = template.expose_secret();
        let config = tls::parse(text).map_err(|_| "is not a PostgreSQL URL".to_owned())?;
        let name = config.get_dbname().unwrap_or_default();
        let (before, after) = match name.split_once(PLACEHOLDER) {
            Some(around) if text.matches(PLACEHOLDER).count() == 1 => around,
            _ => {
                return Err(format!(
                    "does not have `{PLACEHOLDER}` once, in the place of the database's name"
                ));
            }
        };
        let longest = format!("{before}{}{after}", "t".repeat(LONGEST));
        if longest.parse::<DatabaseName>().is_err() {
            return Err(format!(
                "makes names that are none: what stands around `{PLACEHOLDER}` is a-z, 0-9 and \
                 `_`, and has at most {} characters",
                63 - LONGEST
            ));
        }
        let (before, after) = (before.to_owned(), after.to_owned());
        let (host, port) = server_of(&config)?;
        Ok(Self {
            #[cfg(feature = "encryption")]
            template: template.clone(),
            config,
            host,
            port,
            before,
            after,
            stands_for: None,
        })
    }

    /// The login of another role for which `self` stands in locators: it goes
    /// to the same server, by its own address.
    #[must_use]
    pub fn beside(mut self, other: &Self) -> Self {
        self.stands_for = Some((other.host.clone(), other.port));
        self
    }

    /// What it was read from.
    #[cfg(feature = "encryption")]
    pub(crate) fn template(&self) -> &SecretString {
        &self.template
    }

    /// The role that it logs in as, where it names one.
    pub(crate) fn role(&self) -> Option<&str> {
        self.config.get_user()
    }

    /// Whether it leads to a socket, or to an address that is this machine's own.
    pub(super) fn stays_on_this_machine(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        self.host.starts_with('/')
            || self.host == "localhost"
            || address.is_ok_and(|address| address.is_loopback())
    }

    /// Where the database of a new tenant will be.
    #[must_use]
    pub fn place_for(&self, id: TenantId) -> Option<Locator> {
        let name = format!("{}t_{}{}", self.before, id.as_uuid().simple(), self.after);
        let address = DatabaseAddress::new(&self.host, self.port, name.parse().ok()?).ok()?;
        Some(Locator::dedicated_database(id, address))
    }

    /// The server, and how names are made there, as one text.
    pub(crate) fn where_new_ones_are(&self) -> String {
        let Self {
            host,
            port,
            before,
            after,
            ..
        } = self;
        format!("{host}:{port}/{before}{PLACEHOLDER}{after}")
    }

    /// How this role logs in to the database at `address`.
    #[must_use]
    pub fn to(&self, address: &DatabaseAddress) -> tokio_postgres::Config {
        self.to_database(address, address.name().as_str())
    }

    /// How this role logs in to another database of the same server.
    #[must_use]
    pub fn to_database(&self, address: &DatabaseAddress, name: &str) -> tokio_postgres::Config {
        let stands_for = self.stands_for.as_ref();
        let (host, port) = match stands_for
            .filter(|(h, p)| (h.as_str(), *p) == (address.host(), address.port()))
        {
            Some(_) => (self.host.as_str(), self.port),
            None => (address.host(), address.port()),
        };
        // A new one: hosts can be added to a configuration, but not replaced.
        let mut config = tokio_postgres::Config::new();
        config.host(host).port(port).dbname(name);
        config.ssl_mode(self.config.get_ssl_mode());
        if let Some(user) = self.config.get_user() {
            config.user(user);
        }
        if let Some(password) = self.config.get_password() {
            config.password(password);
        }
        if let Some(options) = self.config.get_options() {
            config.options(options);
        }
        if let Some(time) = self.config.get_connect_timeout() {
            config.connect_timeout(*time);
        }
        config
    }
}

/// The one server that a login names.
fn server_of(config: &tokio_postgres::Config) -> Result<(String, u16), String> {
    let ([host], [] | [_], []) = (
        config.get_hosts(),
        config.get_ports(),
        config.get_hostaddrs(),
    ) else {
        return Err("does not name exactly one host".to_owned());
    };
    let host = match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(folder) => folder.display().to_string(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    // Whether locators can hold it, found out here and not at the first tenant.
    let name: DatabaseName = "t".parse().map_err(|_| "names no host".to_owned())?;
    DatabaseAddress::new(&host, port, name).map_err(|error| error.to_string())?;
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(template: &str) -> Result<DatabaseLogin, String> {
        DatabaseLogin::from_template(&template.into())
    }

    #[test]
    fn a_place_is_made_of_the_template_and_the_id() {
        let login = login("postgres://app:s%40@db1:6432/prod_{database_name}_x").unwrap();
        let id = TenantId::generate();
        let Some(Locator::Database(address, schema)) = login.place_for(id) else {
            panic!("a database");
        };
        let id = id.as_uuid().simple();
        assert_eq!(address.name().as_str(), format!("prod_t_{id}_x"));
        assert_eq!((address.host(), address.port()), ("db1", 6432));
        assert_eq!(schema.as_str(), format!("t_{id}"));
        let config = login.to(&address);
        assert_eq!(config.get_dbname(), Some(address.name().as_str()));
        assert_eq!(config.get_password(), Some(&b"s@"[..]));
    }

    #[test]
    fn templates_that_name_no_place_of_their_own_are_refused() {
        for (template, said) in [
            ("postgres://app:p@db1/shop", "`{database_name}` once"),
            ("postgres://app:p@db1", "`{database_name}` once"),
            (
                "postgres://{database_name}:p@db1/{database_name}",
                "`{database_name}` once",
            ),
            (
                "postgres://app:p@db1/{database_name}{database_name}",
                "once",
            ),
            ("postgres://app:p@db1/Prod-{database_name}", "a-z, 0-9"),
            (
                "postgres://app:p@db1/a_prefix_of_thirty_characters__{database_name}",
                "at most 29",
            ),
            ("postgres://app:p@db1,db2/{database_name}", "exactly one"),
            (
                "mysql://app:hunter2@db1/{database_name}",
                "not a PostgreSQL",
            ),
        ] {
            let wrong = login(template).unwrap_err();
            assert!(wrong.contains(said), "{template}: {wrong}");
            assert!(!wrong.contains("hunter2"), "{wrong}");
        }
    }

    #[test]
    fn a_role_that_goes_past_a_pooler_finds_the_same_databases() {
        let app = login("postgres://app:p@pooler:6432/{database_name}").unwrap();
        let owner = login("postgres://owner:p@db1:5432/{database_name}").unwrap();
        let owner = owner.beside(&app);
        let Some(Locator::Database(address, _)) = app.place_for(TenantId::generate()) else {
            panic!("a database");
        };
        assert_eq!(owner.to(&address).get_ports(), [5432]);
        // Another server than today's template names: by its own address.
        let elsewhere = DatabaseAddress::new("db9", 5433, address.name().clone()).unwrap();
        assert_eq!(owner.to(&elsewhere).get_ports(), [5433]);
    }
}
