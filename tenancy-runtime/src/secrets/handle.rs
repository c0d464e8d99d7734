use secrecy::SecretString;

use super::name::SecretName;
use super::store::Store;
use crate::error::{Error, Result};
use crate::sealing::checked;
use crate::tenant::TenantId;

/// The secrets of one tenant, under names of the application's choice: 1 to 100
/// characters of `a-z`, `0-9`, `_`, `.` and `-`. An extractor, and cheap to clone.
///
/// Each call borrows a connection of the application's pool for one round trip,
/// also where the tenant has a database of its own. A handler that holds a
/// [`TenantConn`](crate::db::TenantConn) meanwhile needs two of them: let it take
/// [`TenantDb`](crate::db::TenantDb) instead, and read its secrets first.
///
/// ```
/// use tenancy_runtime::secrets::ExposeSecret;
/// use tenancy_runtime::error::{Error, Result};
/// use tenancy_runtime::secrets::TenantSecrets;
///
/// async fn send(secrets: TenantSecrets) -> Result<()> {
///     let password = secrets.get("smtp_password").await?.ok_or(Error::NotFound)?;
///     log_in(password.expose_secret()).await
/// }
/// # async fn log_in(_: &str) -> Result<()> { Ok(()) }
/// ```
#[derive(Clone)]
pub struct TenantSecrets {
    store: Store,
}

impl TenantSecrets {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    /// Whose they are.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.store.tenant
    }

    /// The secret of this name, if the tenant has one.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidInput`] for a name that is none, [`Error::Internal`] where
    /// the key that encrypted it is missing or it does not decrypt, and those of
    /// the database.
    pub async fn get(&self, name: &str) -> Result<Option<SecretString>> {
        let row = self.store.find(&SecretName::parse(name)?).await?;
        row.map(|row| self.store.opened(&row).map_err(Error::internal))
            .transpose()
    }

    /// Keeps a secret under this name, in the place of one that is there.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidInput`] for a name that is none, and for a secret that is
    /// empty or has more than 65536 bytes; [`Error::TenantInactive`] where the
    /// tenant was destroyed meanwhile, and those of the database.
    pub async fn set(&self, name: &str, secret: SecretString) -> Result<()> {
        let name = SecretName::parse(name)?;
        checked(&secret)
            .map_err(|wrong| Error::InvalidInput(format!("the secret `{name}` {wrong}")))?;
        self.store.put(&name, &secret).await
    }

    /// Removes a secret; tells whether there was one.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidInput`] for a name that is none, and those of the database.
    pub async fn remove(&self, name: &str) -> Result<bool> {
        self.store.delete(&SecretName::parse(name)?).await
    }

    /// The names of the tenant's secrets, in order.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn names(&self) -> Result<Vec<String>> {
        self.store.names().await
    }
}

impl std::fmt::Debug for TenantSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TenantSecrets")
            .field("tenant", &self.store.slug)
            .finish_non_exhaustive()
    }
}
