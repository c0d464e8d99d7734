//! The management commands of an application's own binary.

#[cfg(feature = "domains")]
mod domains;
mod input;
#[cfg(feature = "encryption")]
mod logins;
mod manage;
#[cfg(feature = "cli")]
mod parse;
#[cfg(feature = "encryption")]
mod secrets;

#[cfg(feature = "domains")]
pub(crate) use domains::DomainCommand;
pub(crate) use input::GivenMetadata;
pub(crate) use manage::manage;
#[cfg(feature = "cli")]
pub(crate) use parse::parse;
#[cfg(feature = "encryption")]
pub(crate) use secrets::generate_key;

use chrono::{DateTime, Utc};

use crate::tenant::NewTenant;
use crate::tenant::Slug;

/// What the command line asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Command {
    /// To answer requests.
    #[default]
    Serve,
    /// To make what is missing in the database and apply migrations, for all
    /// tenants or one, and to verify it.
    Migrate(Option<Slug>),
    /// To check that database and roles are as they must be.
    Verify,
    /// To list the tenants.
    List,
    /// To register a tenant, with this metadata if it is given.
    Create(NewTenant, Option<GivenMetadata>),
    /// The same with logins of its own, from the standard input.
    #[cfg(feature = "encryption")]
    CreateWithLogins(NewTenant, Option<GivenMetadata>),
    /// To give a tenant other logins of its own, from the standard input.
    #[cfg(feature = "encryption")]
    SetLogins(Slug),
    /// To put a tenant on another plan.
    Plan(Slug, String),
    /// To give a tenant a feature, until a time or for good.
    Grant(Slug, String, Option<DateTime<Utc>>),
    /// To take one from it, until a time or for good.
    Revoke(Slug, String, Option<DateTime<Utc>>),
    /// To leave a feature to its plan again.
    Reset(Slug, String),
    /// To store other metadata of a tenant.
    Metadata(Slug, GivenMetadata),
    /// To keep tenants out.
    Suspend(Vec<Slug>),
    /// To let suspended tenants in again.
    Activate(Vec<Slug>),
    /// To give a tenant another slug.
    Rename(Slug, Slug),
    /// To keep a tenant out until it is restored or destroyed.
    Delete(Slug),
    /// To undo that.
    Restore(Slug),
    /// To remove all data of a deleted tenant.
    Destroy(Slug),
    /// To say what was removed.
    Receipt(Slug),
    /// To keep secrets for tenants.
    #[cfg(feature = "encryption")]
    Secrets(SecretsCommand),
    /// To see to the domains that tenants bring.
    #[cfg(feature = "domains")]
    Domains(DomainCommand),
}

/// What the command line asks for of tenants' secrets.
#[cfg(feature = "encryption")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretsCommand {
    /// To make a key, of this id.
    GenerateKey(Option<String>),
    /// To keep what stands on the standard input for a tenant, under a name.
    Set(Slug, String),
    /// To list the names of a tenant's secrets.
    List(Slug),
    /// To remove a tenant's secret.
    Remove(Slug, String),
    /// To count the secrets of each key.
    Keys,
    /// To re-encrypt everything with the first key.
    Rotate,
}

/// Without the feature `cli` a binary serves, whatever its arguments.
#[cfg(not(feature = "cli"))]
pub(crate) fn parse(_name: &'static str, _version: &'static str) -> Command {
    Command::Serve
}
