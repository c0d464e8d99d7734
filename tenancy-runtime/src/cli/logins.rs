use secrecy::SecretString;

use super::input::input;
use crate::db::TenantLogins;
use crate::error::{Error, Result};

/// More than two logins have.
const MOST_READ: u64 = 16 * 1024;

const ASKED: &str = "the login of the application's role and, on a second line, the owner's, \
    each as postgres://user:password@host:5432/{database_name}";

/// Reads a tenant's own logins from the standard input, one a line.
pub(super) fn read() -> Result<TenantLogins> {
    let text = input(ASKED, MOST_READ)?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    match (lines.next(), lines.next(), lines.next()) {
        (Some(app), Some(owner), None) => {
            TenantLogins::new(&SecretString::from(app), &SecretString::from(owner))
        }
        _ => Err(Error::InvalidInput(
            "the standard input has two lines: the login of the application's role, and the \
             owner's"
                .to_owned(),
        )),
    }
}
