//! The management commands of an application's own binary.

mod manage;
#[cfg(feature = "cli")]
mod parse;

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
    /// To make what is missing in the database, and to verify it.
    Migrate,
    /// To check that database and roles are as they must be.
    Verify,
    /// To list the tenants.
    List,
    /// To register a tenant.
    Create(NewTenant),
    /// To keep a tenant out.
    Suspend(Slug),
    /// To let a suspended tenant in again.
    Activate(Slug),
}

/// Without the feature `cli` a binary serves, whatever its arguments.
#[cfg(not(feature = "cli"))]
pub(crate) fn parse(_name: &'static str, _version: &'static str) -> Command {
    Command::Serve
}
