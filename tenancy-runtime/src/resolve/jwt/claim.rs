//! Where a token names its tenant.
//!
//! A text is read in one way only: what begins with `/` leads into other claims, as
//! JSON pointers (RFC 6901) do, and everything else is a claim's whole name, with all
//! its dots and slashes. Of two places that one text might mean, whoever may write to
//! one could otherwise name the tenant there.

#[cfg(feature = "jwt")]
use serde_json::Value;

/// A claim by its name, or one within others by the names that lead to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim(Box<[Box<str>]>);

/// Why a text is no [`Claim`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a claim is its whole name (`tenant_id`, `https://myapp.com/tenant`), or begins with `/` and \
     leads to one within others (`/app_metadata/tenant`), with `~1` for a slash in a name and `~0` \
     for a `~`"
)]
pub(crate) struct InvalidClaim;

impl Claim {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidClaim> {
        let names: Option<Box<[_]>> = match text.strip_prefix('/') {
            Some(way) => way.split('/').map(name).collect(),
            None => (!text.trim().is_empty()).then(|| Box::from([text.into()])),
        };
        names.map(Self).ok_or(InvalidClaim)
    }

    /// What `claims` say there. In a list there is nothing, whatever its place.
    #[cfg(feature = "jwt")]
    pub(super) fn of<'a>(&self, claims: &'a Value) -> Option<&'a Value> {
        let mut names = self.0.iter();
        names.try_fold(claims, |claims, name| claims.as_object()?.get(&**name))
    }
}

/// A name as it is written on the way.
fn name(text: &str) -> Option<Box<str>> {
    let mut escapes = text.split('~').skip(1);
    let known = escapes.all(|rest| rest.starts_with(['0', '1']));
    (known && !text.is_empty()).then(|| text.replace("~1", "/").replace("~0", "~").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `#[tenancy::app]` is tried on the same texts.
    const TEXTS: &[(&str, &[&str])] = &include!("claim_texts.rs");

    #[test]
    fn a_text_is_a_name_or_a_way_and_never_both() {
        for (text, names) in TEXTS {
            let claim = Claim(names.iter().map(|&name| name.into()).collect());
            let expected = if names.is_empty() {
                Err(InvalidClaim)
            } else {
                Ok(claim)
            };
            assert_eq!(Claim::parse(text), expected, "{text}");
        }
    }
}
