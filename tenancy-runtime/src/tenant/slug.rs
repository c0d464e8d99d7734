use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A tenant's public name: 3 to 63 characters of `a-z`, `0-9` and `-`, with a
/// letter or digit at both ends (so that it is also a DNS label, [RFC 1035]).
///
/// Upper case is refused, not folded: two spellings of one name would be two
/// cache keys and two log entries for the same tenant.
///
/// [RFC 1035]: https://www.rfc-editor.org/rfc/rfc1035#section-2.3.1
///
/// ```
/// use tenancy_runtime::tenant::Slug;
///
/// assert_eq!("acme-corp".parse::<Slug>().unwrap().as_str(), "acme-corp");
/// assert!("Acme".parse::<Slug>().is_err());
/// assert!("acme\n".parse::<Slug>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(Box<str>);

/// Why a value is not a [`Slug`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a slug has 3 to 63 characters of a-z, 0-9 and `-`, with a letter or digit at both ends; \
     got `{0}`"
)]
pub struct InvalidSlug(String);

impl Slug {
    /// The fewest characters a slug has.
    pub const MIN_LEN: usize = 3;
    /// The most characters a slug has.
    pub const MAX_LEN: usize = 63;

    /// The slug as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks raw bytes, as they come in a header, without assuming UTF-8.
    ///
    /// # Errors
    ///
    /// [`InvalidSlug`] unless the bytes spell a slug.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidSlug> {
        let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let valid = (Self::MIN_LEN..=Self::MAX_LEN).contains(&bytes.len())
            && bytes.iter().all(|b| alphanumeric(b) || *b == b'-')
            && bytes.first().is_some_and(alphanumeric)
            && bytes.last().is_some_and(alphanumeric);
        match std::str::from_utf8(bytes) {
            Ok(text) if valid => Ok(Self(text.into())),
            // Bounded and escaped: the value is outside input that may end in a log.
            _ => Err(InvalidSlug(
                bytes
                    .iter()
                    .take(80)
                    .flat_map(|b| b.escape_ascii())
                    .map(char::from)
                    .collect(),
            )),
        }
    }
}

impl FromStr for Slug {
    type Err = InvalidSlug;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_bytes(text.as_bytes())
    }
}

impl TryFrom<String> for Slug {
    type Error = InvalidSlug;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0.into_string()
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slug({})", self.0)
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for Slug {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Slug".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "The tenant's slug.",
            "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
            "minLength": Self::MIN_LEN,
            "maxLength": Self::MAX_LEN,
        })
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_holds_at_its_edges() {
        for good in ["abc", "a-b", "0-0", &"a".repeat(63)] {
            assert!(good.parse::<Slug>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "ab",
            "Acme",
            "acme corp",
            "-acme",
            "acme-",
            "acme\n",
            "acme\0",
            "ac_me",
            "äcme",
            "../b",
            "%2e%2e",
            &"a".repeat(64),
        ] {
            assert!(bad.parse::<Slug>().is_err(), "{bad:?}");
        }
        assert!(Slug::from_bytes(b"ac\xffme").is_err());
    }
}
