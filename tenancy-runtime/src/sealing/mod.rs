//! What seals the secrets of tenants, and opens them: the keys, the cipher, and those
//! secrets that lie in tenants' metadata, which a look-up brings with it.
//!
//! It stands in front of everything that knows tenants: who is admitted brings the keys
//! to its own settings, and a new entry is sealed before it is stored. Where secrets are
//! kept, and how keys rotate, is the business of `secrets`, further along.

#[cfg(feature = "encryption")]
mod metadata;
#[cfg(feature = "encryption")]
mod ring;
#[cfg(feature = "encryption")]
mod seal;
#[cfg(feature = "encryption")]
mod setting;
#[cfg(not(feature = "encryption"))]
mod without;

#[cfg(feature = "encryption")]
pub(crate) use self::{
    metadata::MetadataKeys,
    seal::{About, Login, Unopened, open, seal},
};
#[cfg(feature = "encryption")]
pub use self::{
    ring::{InvalidKeyRing, KeyRing},
    setting::SecretSetting,
};
#[cfg(not(feature = "encryption"))]
pub(crate) use without::MetadataKeys;

/// Lists the key `$1` with its proof `$2`, wherever something that it has sealed is
/// stored: a rotation may have taken it off the list a moment ago.
pub(crate) const LIST_KEY: &str =
    "INSERT INTO tenancy.secret_keys (id, proof) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";

#[cfg(feature = "encryption")]
use secrecy::{ExposeSecret as _, SecretString};

#[cfg(feature = "encryption")]
use crate::problem::Problem;

/// The most bytes of a secret.
#[cfg(feature = "encryption")]
const LONGEST: usize = 64 * 1024;

/// Refuses what is too short or too long for a secret, in words that go on from its
/// name.
#[cfg(feature = "encryption")]
pub(crate) fn checked(secret: &SecretString) -> Result<(), String> {
    match secret.expose_secret().len() {
        0 => Err("is empty: remove it instead".to_owned()),
        length if length > LONGEST => {
            Err(format!("has {length} bytes, and {LONGEST} are the most"))
        }
        _ => Ok(()),
    }
}

/// Why there are no secrets.
#[cfg(feature = "encryption")]
pub(crate) fn no_keys() -> Problem {
    Problem::new(
        "TENANCY_ENCRYPTION_KEY",
        "is not set, and tenants' secrets are encrypted before they are stored",
        "make a key with the subcommand `secrets generate-key` and set it to that; an application \
         without a database, or with a registry of its own, keeps none, in metadata or elsewhere",
    )
}
