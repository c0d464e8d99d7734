//! A tenant's own logins, from the standard input.

use secrecy::SecretString;

use super::GivenMetadata;
use super::input::input;
use crate::db::TenantLogins;
use crate::error::{Error, Result};
use crate::tenant::Metadata;

/// More than two logins have, and metadata behind them.
const MOST_READ: u64 = 16 * 1024 * 1024;

const ASKED: &str = "the login of the application's role and, on a second line, the owner's, \
    each as postgres://user:password@host:5432/{database_name}";

/// Reads the logins, one a line.
pub(super) fn read() -> Result<TenantLogins> {
    Ok(read_with(None)?.0)
}

/// Reads the logins, and behind them the metadata, where it is given there.
pub(super) fn read_with(metadata: Option<GivenMetadata>) -> Result<(TenantLogins, Metadata)> {
    let text = input(ASKED, MOST_READ)?;
    let mut parts = text.splitn(3, '\n').map(str::trim);
    let mut part = || parts.next().unwrap_or_default();
    let (app, owner, rest) = (part(), part(), part());
    let more = !rest.is_empty() && metadata != Some(GivenMetadata::Input);
    if app.is_empty() || owner.is_empty() || more {
        return Err(Error::InvalidInput(
            "the standard input has two lines: the login of the application's role, and the \
             owner's; with `--metadata -` the metadata follows them"
                .to_owned(),
        ));
    }
    let logins = TenantLogins::new(&SecretString::from(app), &SecretString::from(owner))?;
    let metadata = metadata.map(|given| given.read_behind(rest)).transpose()?;
    Ok((logins, metadata.unwrap_or_default()))
}
