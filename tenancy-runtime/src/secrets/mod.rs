//! What an application keeps for a tenant and nobody else may read: the password
//! of its mail server, the key of its webhook. Encrypted before it leaves the
//! process, so that neither a dump nor a look into the database shows it.
//!
//! Secrets lie in the registry, `tenancy.secrets`, and not in each tenant's own
//! place: that way one run rotates all of them, and a tenant's secrets are there
//! whether or not its own database is. Row-level security holds the application's
//! role to one tenant there as in the shared tables, in every isolation: what a
//! tenant's own connection reads of it under `rls` is ciphertext of its own, and
//! under `schema` nothing.
//!
//! The cipher is XChaCha20-Poly1305 with random nonces, which are long enough
//! never to meet. Tenant, name and key are authenticated with the value
//! (`sealing`): who can write into the table can lose a secret, and not have one
//! tenant's read as another's.
//!
//! A [`KeyRing`] has one key that encrypts and others that decrypt. Each key that
//! was used is on a list (`keys`), which a start compares with the ring, and from
//! which a foreign key keeps those that secrets still need. So keys rotate while
//! all processes serve: the new one is added to every ring, then put first in
//! every ring, then [`Secrets::rotate`] re-encrypts what is left, and then the
//! old one is taken away.
//!
//! What belongs to a tenant's settings lies in its metadata, and there a
//! [`SecretSetting`] is what is encrypted (`sealing` as well): `{"$secret": …}`, by
//! the same cipher and keys, authenticated with the tenant and its place. It comes
//! with the tenant from memory, sealed, and opens where the settings are read, so that
//! a handler that needs it asks nobody. The entry of a tenant is the owner's to
//! change, and so are these. The keys that an entry needs are noted beside it, in
//! `tenancy.metadata_keys`, by which they stay on the list.
//!
//! The logins that tenants have of their own to their databases are encrypted in the
//! same way, in two tables beside the secrets (`logins`).

mod extract;
mod handle;
mod keys;
mod logins;
mod name;
mod rotate;
mod store;

use std::sync::Arc;

use crate::db::Pool;
use crate::error::Error;
use crate::provision::Provisioner;
use crate::sealing::no_keys;
use crate::tenant::{Tenant, TenantRecord};

/// The type of a secret, and the trait that shows what is in it.
pub use secrecy::{ExposeSecret, SecretString};

pub use crate::sealing::{InvalidKeyRing, KeyRing, SecretSetting};
pub(crate) use extract::Configured;
pub use handle::TenantSecrets;
pub(crate) use keys::verify;
pub(crate) use logins::KeptLogins;
pub use rotate::Rotation;
use store::Store;

/// The secrets of all tenants, and the keys that they are encrypted with. Cheap
/// to clone; from [`Tenancy::secrets`](crate::app::Tenancy::secrets).
///
/// ```
/// use tenancy_runtime::app::Tenancy;
/// use tenancy_runtime::error::Result;
///
/// async fn password(tenancy: &Tenancy) -> Result<bool> {
///     let (tenant, _) = tenancy.tenant(&"acme-corp".parse()?).await?;
///     let secrets = tenancy.secrets()?.of(&tenant);
///     secrets.set("smtp_password", "correct horse".into()).await?;
///     Ok(secrets.get("smtp_password").await?.is_some())
/// }
/// ```
#[derive(Clone)]
pub struct Secrets {
    app: Pool,
    logins: Arc<KeptLogins>,
    provisioner: Provisioner,
}

impl Secrets {
    pub(crate) fn new(app: Pool, logins: Arc<KeptLogins>, provisioner: Provisioner) -> Self {
        Self {
            app,
            logins,
            provisioner,
        }
    }

    /// The secrets of one tenant.
    #[must_use]
    pub fn of(&self, tenant: &Tenant) -> TenantSecrets {
        TenantSecrets::new(self.store(tenant.record()))
    }

    /// The secrets of a tenant that nobody admitted: for management commands.
    pub(crate) fn of_record(&self, tenant: &TenantRecord) -> TenantSecrets {
        TenantSecrets::new(self.store(tenant))
    }

    pub(crate) fn ring(&self) -> &KeyRing {
        self.logins.ring()
    }

    fn store(&self, tenant: &TenantRecord) -> Store {
        Store {
            app: self.app.clone(),
            ring: Arc::clone(self.logins.ring()),
            tenant: tenant.id,
            slug: tenant.slug.clone(),
        }
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets")
            .field("ring", self.ring())
            .finish_non_exhaustive()
    }
}

/// Why there are no secrets.
pub(crate) fn not_configured() -> Error {
    no_keys().into()
}
