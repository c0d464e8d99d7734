//! A set of keys as it is published (RFC 7517).

use std::sync::Arc;

use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::Jwk;
use serde::Deserialize;

use super::super::key::{InvalidKey, Key};

/// The most keys of a set, of which issuers have a handful.
const MOST_KEYS: usize = 100;

/// The keys of one answer, each with its name.
#[derive(Debug, Default)]
pub(in super::super) struct KeySet(Vec<(Option<String>, Arc<Key>)>);

#[derive(Deserialize)]
struct Written {
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    /// The keys that can verify. Others may be there for somebody else: they are
    /// passed over, as RFC 7517 says in section 5.
    pub(in super::super) fn parse(text: &[u8]) -> Result<Self, InvalidKey> {
        let written: Written = serde_json::from_slice(text)
            .map_err(|_| InvalidKey::new("is no JSON Web Key Set, as {\"keys\": [ … ]}"))?;
        if written.keys.len() > MOST_KEYS {
            return Err(InvalidKey::new(format!(
                "has {} keys, and {MOST_KEYS} are the most",
                written.keys.len()
            )));
        }
        let mut keys = Vec::new();
        for value in written.keys {
            let Ok(jwk) = serde_json::from_value::<Jwk>(value) else {
                continue;
            };
            match Key::jwk(&jwk) {
                Ok(key) => keys.push((jwk.common.key_id, Arc::new(key))),
                Err(why) => tracing::debug!(%why, "a key of the set is passed over"),
            }
        }
        Ok(Self(keys))
    }

    pub(in super::super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys that a token of this header may be signed with. The name is
    /// compared and nothing else. A token without one is for the only key that
    /// there is, and for none where there are several.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Vec<Arc<Key>> {
        let named = |name: &Option<String>| kid.is_none() || name.as_deref() == kid;
        let found = self.0.iter().filter(|(name, _)| named(name));
        let found: Vec<_> = found
            .filter(|(_, key)| key.may_verify(algorithm))
            .map(|(_, key)| Arc::clone(key))
            .collect();
        if kid.is_none() && found.len() > 1 {
            return Vec::new();
        }
        found
    }

    /// Whether the set has a key of this name at all.
    pub(super) fn knows(&self, kid: Option<&str>) -> bool {
        kid.is_none() || self.0.iter().any(|(name, _)| name.as_deref() == kid)
    }
}
