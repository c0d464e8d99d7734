use diesel::sql_types::{Integer, Nullable, Text};

use crate::error::{Error, Result};
use crate::isolation::Strategy;
use crate::tenant::{DatabaseAddress, Locator, OwnLogins, TenantId};

/// A locator as tables of the schema `tenancy` keep it. It is checked again when
/// it is read: a table can be written by hand, and what is in it decides which
/// schema a statement names.
#[derive(diesel::QueryableByName)]
#[cfg_attr(feature = "redis", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct LocatorRow {
    #[diesel(sql_type = Text)]
    pub(crate) strategy: String,
    #[diesel(sql_type = Text)]
    pub(crate) schema_name: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub(crate) database_host: Option<String>,
    #[diesel(sql_type = Nullable<Integer>)]
    pub(crate) database_port: Option<i32>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(crate) database_name: Option<String>,
    /// How often logins of the tenant's own were changed; `NULL` if it has none.
    #[diesel(sql_type = Nullable<Integer>)]
    pub(crate) database_logins: Option<i32>,
}

impl LocatorRow {
    pub(crate) fn of(locator: &Locator) -> Self {
        let address = match locator {
            Locator::Database(address, _) => Some(address),
            Locator::Shared(_) | Locator::Schema(_) => None,
        };
        Self {
            strategy: locator.strategy().to_string(),
            schema_name: locator.schema().to_string(),
            database_host: address.map(|address| address.host().to_owned()),
            database_port: address.map(|address| i32::from(address.port())),
            database_name: address.map(|address| address.name().to_string()),
            database_logins: address.and_then(|address| Some(address.own_logins()?.version)),
        }
    }

    /// Where the tenant is.
    pub(crate) fn locator(&self, tenant: TenantId) -> Result<Locator> {
        let schema = self.schema_name.parse().map_err(Error::internal)?;
        Ok(match self.strategy.parse().map_err(Error::internal)? {
            Strategy::Rls => Locator::Shared(schema),
            Strategy::Schema => Locator::Schema(schema),
            Strategy::Database => {
                let (Some(host), Some(port), Some(name)) =
                    (&self.database_host, self.database_port, &self.database_name)
                else {
                    return Err(Error::internal("a tenant's database has no address"));
                };
                let port = u16::try_from(port).map_err(Error::internal)?;
                let name = name.parse().map_err(Error::internal)?;
                let mut address =
                    DatabaseAddress::new(host, port, name).map_err(Error::internal)?;
                if let Some(version) = self.database_logins {
                    address = address.with_own_logins(OwnLogins { tenant, version });
                }
                Locator::Database(address, schema)
            }
        })
    }
}
