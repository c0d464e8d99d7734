use std::fmt;
use std::str::FromStr;

use super::TenantId;

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
}

impl Locator {
    /// A locator for a new tenant in a schema of its own, named by its id and
    /// therefore never reused.
    #[must_use]
    pub fn dedicated_schema(id: TenantId) -> Self {
        Self::Schema(SchemaName(format!("t_{}", id.as_uuid().simple()).into()))
    }

    /// The schema that holds the tenant's tables.
    #[must_use]
    pub fn schema(&self) -> &SchemaName {
        match self {
            Self::Shared(schema) | Self::Schema(schema) => schema,
        }
    }
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
pub struct InvalidLocator(String);

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
    type Err = InvalidLocator;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let reserved = ["public", "tenant", "tenancy", "information_schema"].contains(&text)
            || text.starts_with("pg_");
        let mut bytes = text.bytes();
        let first = bytes
            .next()
            .is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
        let rest = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if first && rest && !reserved && text.len() <= 63 {
            Ok(Self(text.into()))
        } else {
            Err(InvalidLocator(
                text.chars().take(80).flat_map(char::escape_debug).collect(),
            ))
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
mod tests {
    use super::*;

    #[test]
    fn a_dedicated_schema_is_named_by_the_id_and_valid() {
        let id = TenantId::generate();
        let locator = Locator::dedicated_schema(id);
        let name = locator.schema().as_str();
        assert_eq!(name, format!("t_{}", id.as_uuid().simple()));
        assert!(name.parse::<SchemaName>().is_ok());
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
