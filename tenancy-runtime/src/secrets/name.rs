use std::fmt;

use crate::error::{Error, Result};
use crate::problem::shown;

/// What a secret is called: 1 to 100 of `a-z`, `0-9`, `_`, `.` and `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SecretName(String);

const LONGEST: usize = 100;

impl SecretName {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = |byte: u8| fits(byte) || b"_.-".contains(&byte);
        if (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::InvalidInput(format!(
            "a secret's name is 1 to {LONGEST} characters of a-z, 0-9, `_`, `.` and `-`; got `{}`",
            shown(text)
        )))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        for good in ["a", "smtp_password", "stripe.key-2", &"x".repeat(LONGEST)] {
            assert_eq!(SecretName::parse(good).unwrap().as_str(), good);
        }
        let long = "x".repeat(LONGEST + 1);
        for bad in ["", "A", "a b", "a/b", "ä", "a\n", "a\0", &long] {
            assert!(SecretName::parse(bad).is_err(), "{bad:?}");
        }
    }
}
