//! Migrations, once every rule holds.

/// A folder `<version>_<name>` with an `up.sql`.
pub(super) struct Migration {
    /// Digits only: Diesel's folders have dashes between them, which mean nothing.
    pub(super) version: String,
    pub(super) name: String,
    /// The folder's own name.
    pub(super) folder: String,
}
