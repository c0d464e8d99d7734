use std::fmt;
use std::str::FromStr;

use super::TenantId;
use crate::isolation::Strategy;
use crate::problem::shown;

/// Where a tenant's data lives.
///
/// It is chosen once, at provisioning, and stored; nothing derives it again
/// from a slug, so renaming a tenant moves no data and a freed slug inherits
/// none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Locator {
    /// The shared layout: one set of tables, rows told apart by `tenant_id`
    /// under row-level security. The schema is the one of the shared tables.
    Shared(SchemaName),
    /// A dedicated layout: a schema of the tenant's own.
    Schema(SchemaName),
    /// A dedicated layout: a schema of the tenant's own in a database of its
    /// own. The schema is named by the tenant as well, so that a connection to
    /// the wrong database finds nothing there.
    Database(DatabaseAddress, SchemaName),
}

impl Locator {
    /// A locator for a new tenant in a schema of its own, named by its id and
    /// therefore never reused.
    #[must_use]
    pub fn dedicated_schema(id: TenantId) -> Self {
        Self::Schema(own_schema(id))
    }

    /// A locator for a new tenant in a database of its own.
    #[must_use]
    pub fn dedicated_database(id: TenantId, address: DatabaseAddress) -> Self {
        Self::Database(address, own_schema(id))
    }

    /// The schema that holds the tenant's tables.
    #[must_use]
    pub fn schema(&self) -> &SchemaName {
        match self {
            Self::Shared(schema) | Self::Schema(schema) | Self::Database(_, schema) => schema,
        }
    }

    /// What no other tenant has a part in, in words; `None` in shared tables.
    pub(crate) fn own_place(&self) -> Option<String> {
        match self {
            Self::Shared(_) => None,
            Self::Schema(schema) => Some(format!("the schema {schema}")),
            Self::Database(address, _) => Some(format!("the database {address}")),
        }
    }

    /// How data at such a place is kept apart.
    #[must_use]
    pub fn strategy(&self) -> Strategy {
        match self {
            Self::Shared(_) => Strategy::Rls,
            Self::Schema(_) => Strategy::Schema,
            Self::Database(..) => Strategy::Database,
        }
    }
}

fn own_schema(id: TenantId) -> SchemaName {
    SchemaName(format!("t_{}", id.as_uuid().simple()).into())
}

/// The database of one tenant: on which server, and under which name. It holds
/// no login: those are the deployment's, or the tenant's own, which are kept
/// encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DatabaseAddress {
    host: Box<str>,
    port: u16,
    name: DatabaseName,
    own_logins: Option<OwnLogins>,
}

/// That logins to a tenant's database are its own: whose, and how often they were
/// changed. What has connected with others does not last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct OwnLogins {
    pub(crate) tenant: TenantId,
    pub(crate) version: i32,
}

impl OwnLogins {
    /// That they are changed once more.
    pub(crate) fn next(self) -> Self {
        Self {
            version: self.version.wrapping_add(1).max(1),
            ..self
        }
    }
}

impl DatabaseAddress {
    /// The database `name` on the server at `host` and `port`; a host that
    /// begins with `/` is the folder of a Unix socket.
    ///
    /// # Errors
    ///
    /// [`InvalidHost`] unless `host` has 1 to 255 visible ASCII characters, none
    /// of them a comma, which stands between several hosts.
    pub fn new(host: &str, port: u16, name: DatabaseName) -> Result<Self, InvalidHost> {
        let visible = host.bytes().all(|b| b.is_ascii_graphic() && b != b',');
        if !(1..=255).contains(&host.len()) || !visible {
            return Err(InvalidHost(shown(host)));
        }
        Ok(Self {
            host: host.into(),
            port,
            name,
            own_logins: None,
        })
    }

    /// The same database, with logins of the tenant's own.
    #[must_use]
    pub(crate) fn with_own_logins(mut self, own: OwnLogins) -> Self {
        self.own_logins = Some(own);
        self
    }

    pub(crate) fn own_logins(&self) -> Option<OwnLogins> {
        self.own_logins
    }

    /// The database alone, by whatever logins.
    #[must_use]
    pub(crate) fn place(&self) -> Self {
        Self {
            own_logins: None,
            ..self.clone()
        }
    }

    /// The server's host name, its IP address, or the folder of its socket.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The server's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The database's name.
    #[must_use]
    pub fn name(&self) -> &DatabaseName {
        &self.name
    }
}

impl fmt::Display for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}:{}", self.name, self.host, self.port)
    }
}

/// Why a value is not the host of a [`DatabaseAddress`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a server's host has 1 to 255 visible ASCII characters and no comma; got `{0}`")]
pub struct InvalidHost(String);

/// The name of a tenant's database: `[a-z_][a-z0-9_]*`, at most 63 bytes like
/// every identifier of PostgreSQL, and none of those that every server has.
///
/// ```
/// use tenancy_runtime::tenant::DatabaseName;
///
/// assert!("t_0192f0c1".parse::<DatabaseName>().is_ok());
/// assert!("template1".parse::<DatabaseName>().is_err());
/// assert!("a".repeat(64).parse::<DatabaseName>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DatabaseName(Box<str>);

/// Why a value is not a [`DatabaseName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name of a tenant's database is `[a-z_][a-z0-9_]*` of at most 63 bytes, and not \
     `postgres`, `template0` or `template1`; got `{0}`"
)]
pub struct InvalidDatabaseName(String);

impl DatabaseName {
    /// The name, unquoted.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as a quoted SQL identifier. The rule above keeps quotes out.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

impl FromStr for DatabaseName {
    type Err = InvalidDatabaseName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_identifier(text) && !["postgres", "template0", "template1"].contains(&text) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidDatabaseName(shown(text)))
        }
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether PostgreSQL takes `text` as an identifier, whole and unfolded.
fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes
        .next()
        .is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
    first
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && text.len() <= 63
}

/// The name of a PostgreSQL schema: `[a-z_][a-z0-9_]*`, at most 63 bytes, and
/// none of PostgreSQL's own (`pg_…`, `information_schema`), nor `public`, nor
/// the placeholder `tenant`.
///
/// 63 bytes is where PostgreSQL cuts identifiers off ([Lexical Structure]); two
/// longer names could silently become one schema.
///
/// [Lexical Structure]: https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
///
/// ```
/// use tenancy_runtime::tenant::SchemaName;
///
/// assert!("app_shared".parse::<SchemaName>().is_ok());
/// assert!("public".parse::<SchemaName>().is_err());
/// assert!("a\"; drop schema b; --".parse::<SchemaName>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaName(Box<str>);

/// Why a value is not a [`SchemaName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a schema name is `[a-z_][a-z0-9_]*` of at most 63 bytes, and not `public`, `tenant`, \
     `tenancy`, `information_schema` or `pg_…`; got `{0}`"
)]
pub struct InvalidSchemaName(String);

impl SchemaName {
    /// The name, unquoted.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as a quoted SQL identifier. The rule above keeps quotes out.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

impl FromStr for SchemaName {
    type Err = InvalidSchemaName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let reserved = ["public", "tenant", "tenancy", "information_schema"].contains(&text)
            || text.starts_with("pg_");
        if is_identifier(text) && !reserved {
            Ok(Self(text.into()))
        } else {
            Err(InvalidSchemaName(shown(text)))
        }
    }
}

impl fmt::Display for SchemaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for SchemaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SchemaName({})", self.0)
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dedicated_schema_is_named_by_the_id_and_valid() {
        let id = TenantId::generate();
        let locator = Locator::dedicated_schema(id);
        let name = locator.schema().as_str();
        assert_eq!(name, format!("t_{}", id.as_uuid().simple()));
        assert!(name.parse::<SchemaName>().is_ok());
        let address = DatabaseAddress::new("db1", 5432, "x".parse().unwrap()).unwrap();
        let database = Locator::dedicated_database(id, address);
        assert_eq!(database.schema(), locator.schema());
    }

    #[test]
    fn hosts_that_name_none_or_several_are_refused() {
        let new = |host: &str| DatabaseAddress::new(host, 5432, "x".parse().unwrap());
        for good in ["db1", "10.0.0.1", "::1", "/run/postgresql"] {
            assert!(new(good).is_ok(), "{good}");
        }
        let long = "a".repeat(256);
        for bad in ["", "a b", "a\0", "a,b", "ä", &long] {
            assert!(new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn hostile_and_overlong_names_are_refused() {
        let long = "a".repeat(64);
        for bad in [
            "", "1a", "A", "a b", "a-b", "a\"b", "a\0", "a\n", "pg_toast", "tenant", &long,
        ] {
            assert!(bad.parse::<SchemaName>().is_err(), "{bad:?}");
        }
        assert!("a".repeat(63).parse::<SchemaName>().is_ok());
    }
}
