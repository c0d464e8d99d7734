//! The keys that tenants' secrets are encrypted with.

use super::read::Reader;
use super::variables::ENCRYPTION_KEY;
use crate::problem::Problem;
#[cfg(feature = "encryption")]
use crate::sealing::KeyRing;

/// The ring, which is never shown.
#[cfg(feature = "encryption")]
pub(super) fn read(reader: &mut Reader, with_database: bool) -> Option<KeyRing> {
    let text = reader.secret(ENCRYPTION_KEY)?;
    if !with_database {
        reader.problem(Problem::new(
            ENCRYPTION_KEY.name,
            "is set, but the application has no database to keep secrets in",
            "unset it, or declare isolation = \"rls\" in the application's attribute",
        ));
        return None;
    }
    match secrecy::ExposeSecret::expose_secret(&text).parse() {
        Ok(ring) => Some(ring),
        Err(wrong) => {
            reader.problem(Problem::new(
                ENCRYPTION_KEY.name,
                crate::sealing::InvalidKeyRing::to_string(&wrong),
                "write id:key, where the key is 32 bytes in base64, with commas between several; \
                 the subcommand `secrets generate-key` makes one",
            ));
            None
        }
    }
}

#[cfg(not(feature = "encryption"))]
pub(super) fn read(reader: &mut Reader) {
    if reader.is_set(ENCRYPTION_KEY) {
        reader.problem(Problem::new(
            ENCRYPTION_KEY.name,
            "is set, and this build encrypts nothing",
            "add the feature in Cargo.toml: tenancy = { features = [\"encryption\"] }",
        ));
    }
}
