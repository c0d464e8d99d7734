use std::io::{self, IsTerminal as _, Read as _};

use secrecy::zeroize::Zeroizing;

use crate::error::{Error, Result};

/// More than secrets have; what is longer is refused by its length.
const MOST_READ: u64 = 128 * 1024;

/// Reads what is secret from the standard input: arguments are seen by every process
/// of the machine. Whoever sits at a terminal is asked for it.
pub(super) fn read(ask: &str) -> Result<Zeroizing<String>> {
    let input = io::stdin();
    if input.is_terminal() {
        eprintln!("{ask}");
    }
    let mut text = Zeroizing::new(String::new());
    let read = input.take(MOST_READ).read_to_string(&mut text);
    read.map_err(|error| {
        Error::InvalidInput(format!("the standard input cannot be read: {error}"))
    })?;
    Ok(text)
}
