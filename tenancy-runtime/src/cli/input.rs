//! What commands read from the standard input: arguments are seen by every process of
//! the machine, and so are no place for secrets.

use std::io::{self, IsTerminal as _, Read as _};

use secrecy::zeroize::Zeroizing;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::problem::shown;
use crate::tenant::{MARK, Metadata};

/// More than metadata has.
const MOST_METADATA: u64 = 16 * 1024 * 1024;

/// A tenant's metadata on the command line.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum GivenMetadata {
    /// Spelt out. Not read before it is needed: who reads arguments repeats those that
    /// are none.
    Spelt(String),
    /// On the standard input.
    Input,
}

impl GivenMetadata {
    /// Reads it.
    pub(super) fn read(self) -> Result<Metadata> {
        match self {
            Self::Spelt(text) => spelt(&text),
            Self::Input => parsed(&input("the metadata", MOST_METADATA)?),
        }
    }

    /// Reads it where the standard input begins with something else, of which `rest` is
    /// left.
    #[cfg(feature = "encryption")]
    pub(super) fn read_behind(self, rest: &str) -> Result<Metadata> {
        match self {
            Self::Spelt(text) => spelt(&text),
            Self::Input => parsed(rest),
        }
    }
}

/// Metadata that was an argument, where no secret may stand.
fn spelt(text: &str) -> Result<Metadata> {
    let metadata = parsed(text)?;
    let marked = metadata.marked();
    match marked.iter().find(|(_, mark)| !mark[MARK].is_null()) {
        Some((place, _)) => Err(Error::InvalidInput(format!(
            "the metadata has a secret, `{}`, and arguments are seen by every process of the \
             machine: write `-` in its place and hand it in on the standard input",
            shown(place)
        ))),
        None => Ok(metadata),
    }
}

fn parsed(text: &str) -> Result<Metadata> {
    let wrong = |error| Error::InvalidInput(format!("the metadata is no JSON: {error}"));
    let value: Value = serde_json::from_str(text).map_err(wrong)?;
    Ok(Metadata::from(value))
}

/// Never what it is.
impl std::fmt::Debug for GivenMetadata {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GivenMetadata(…)")
    }
}

/// Reads `what` from the standard input, at most so many bytes of it.
pub(super) fn input(what: &str, most: u64) -> Result<Zeroizing<String>> {
    let input = io::stdin();
    if input.is_terminal() {
        eprintln!("Type {what}, then Enter and Ctrl-D:");
    }
    let mut text = Zeroizing::new(String::new());
    let read = input.take(most).read_to_string(&mut text);
    read.map_err(|error| {
        Error::InvalidInput(format!(
            "{what} cannot be read from the standard input: {error}"
        ))
    })?;
    Ok(text)
}
