use secrecy::SecretString;

use super::ring::KeyRing;
use super::seal::{About, open};
use crate::problem::Problem;

/// A value that is stored, with what is said of it where it does not open.
pub(super) struct Stored<'a> {
    /// The id of the key that has sealed it.
    pub(super) key: &'a str,
    /// It, or nothing where what is stored cannot be that.
    pub(super) sealed: Option<&'a [u8]>,
    /// What it is, for people.
    pub(super) what: String,
    /// The table that it lies in.
    pub(super) table: &'static str,
}

impl Stored<'_> {
    /// The value, or in words for the log why that cannot be said.
    pub(super) fn opened(
        self,
        ring: Option<&KeyRing>,
        about: Option<About<'_>>,
    ) -> Result<SecretString, Problem> {
        let Self {
            key: id,
            sealed,
            what,
            table,
        } = self;
        let Some(key) = ring.and_then(|ring| ring.get(id)) else {
            return Err(Problem::new(
                what,
                format!("is encrypted with the key `{id}`"),
                format!("add the key `{id}` to TENANCY_ENCRYPTION_KEY"),
            ));
        };
        let value = about.zip(sealed);
        let value = value.and_then(|(about, sealed)| open(key, about, sealed).ok());
        value.ok_or_else(|| {
            Problem::new(
                what,
                format!(
                    "does not decrypt with the key `{id}`: it was changed, or comes from elsewhere"
                ),
                format!("set it anew, and find out who else writes to {table}"),
            )
        })
    }
}
