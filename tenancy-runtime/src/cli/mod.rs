//! The management commands of an application's own binary.

#[cfg(feature = "domains")]
mod domains;
mod manage;
#[cfg(feature = "cli")]
mod parse;

#[cfg(feature = "domains")]
pub(crate) use domains::DomainCommand;
pub(crate) use manage::manage;
#[cfg(feature = "cli")]
pub(crate) use parse::parse;

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
    /// To register a tenant.
    Create(NewTenant),
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
    /// To see to the domains that tenants bring.
    #[cfg(feature = "domains")]
    Domains(DomainCommand),
}

/// Without the feature `cli` a binary serves, whatever its arguments.
#[cfg(not(feature = "cli"))]
pub(crate) fn parse(_name: &'static str, _version: &'static str) -> Command {
    Command::Serve
}
