use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::Generate as _;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};

/// How many bytes a key has.
pub(super) const KEY: usize = 32;

/// The most keys of a ring; two are enough to rotate.
const MOST: usize = 10;

/// The longest id.
const LONGEST_ID: usize = 32;

/// What a key is called that is given without an id.
const UNNAMED: &str = "1";

/// The keys that tenants' secrets are encrypted with: the first encrypts, all of
/// them decrypt. As text, `id:key` with commas between them, where a key is 32
/// bytes in base64; a key without an id has the id `1`.
///
/// ```
/// use tenancy_runtime::secrets::ExposeSecret;
/// use tenancy_runtime::secrets::KeyRing;
///
/// let [old, new] = ["2025", "2026"].map(|id| KeyRing::generate_key(id).unwrap());
/// let text = format!("{},{}", new.expose_secret(), old.expose_secret());
/// let ring: KeyRing = text.parse().unwrap();
/// assert_eq!(ring.ids().collect::<Vec<_>>(), ["2026", "2025"]);
/// assert!("correct horse battery staple".parse::<KeyRing>().is_err());
/// ```
pub struct KeyRing(Vec<Key>);

/// One key of a ring.
pub(crate) struct Key {
    id: String,
    bytes: SecretBox<[u8; KEY]>,
}

/// Why a text is no [`KeyRing`]. It never holds a part of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKeyRing {
    /// There is nothing where a key should be.
    #[error("has nothing in the place of key {0}")]
    Empty(usize),
    /// There are more keys than a ring has.
    #[error("has {0} keys, and {MOST} are the most")]
    TooMany(usize),
    /// An id has characters that it may not have, or is too long.
    #[error(
        "gives key {0} an id that is none: it has 1 to {LONGEST_ID} characters of a-z, A-Z, \
         0-9, `_`, `.` and `-`, and comes before the key"
    )]
    Id(usize),
    /// A key is not in base64.
    #[error("has a key {0} that is not base64 with its padding")]
    NotBase64(usize),
    /// A key is too short or too long.
    #[error("has a key {0} of {1} bytes, and {KEY} are needed")]
    Length(usize, usize),
    /// Two keys have one id.
    #[error("has two keys with the id `{0}`")]
    SameId(String),
    /// One key has two ids.
    #[error("has one key under two ids, `{0}` and `{1}`")]
    SameKey(String, String),
}

impl KeyRing {
    /// A new key from the system's randomness, as `id:key`.
    ///
    /// # Errors
    ///
    /// [`InvalidKeyRing::Id`] for an id that is none.
    ///
    /// # Panics
    ///
    /// When the system has no randomness to give.
    pub fn generate_key(id: &str) -> Result<SecretString, InvalidKeyRing> {
        if !is_id(id) {
            return Err(InvalidKeyRing::Id(1));
        }
        let key = Zeroizing::new(<[u8; KEY]>::generate());
        let key = Zeroizing::new(STANDARD.encode(*key));
        Ok(SecretString::from(format!("{id}:{}", *key)))
    }

    /// The ids of the keys; the first is that of the key that encrypts.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Key::id)
    }

    /// The key that encrypts.
    pub(crate) fn encrypting(&self) -> &Key {
        // A ring is never empty: `from_str` is the one way to make one.
        &self.0[0]
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl Key {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY] {
        self.bytes.expose_secret()
    }

    fn read(text: &str, position: usize) -> Result<Self, InvalidKeyRing> {
        let (id, key) = text.split_once(':').unwrap_or((UNNAMED, text));
        let (id, key) = (id.trim(), key.trim());
        if key.is_empty() {
            return Err(InvalidKeyRing::Empty(position));
        }
        if !is_id(id) {
            return Err(InvalidKeyRing::Id(position));
        }
        let bytes = STANDARD.decode(key).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| InvalidKeyRing::NotBase64(position))?;
        if bytes.len() != KEY {
            return Err(InvalidKeyRing::Length(position, bytes.len()));
        }
        Ok(Self {
            id: id.to_owned(),
            bytes: SecretBox::init_with_mut(|key: &mut [u8; KEY]| key.copy_from_slice(&bytes)),
        })
    }
}

fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(fits)
}

impl FromStr for KeyRing {
    type Err = InvalidKeyRing;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let count = text.split(',').count();
        if count > MOST {
            return Err(InvalidKeyRing::TooMany(count));
        }
        let mut keys: Vec<Key> = Vec::with_capacity(count);
        for (position, part) in text.split(',').enumerate() {
            let key = Key::read(part, position + 1)?;
            if keys.iter().any(|other| other.id == key.id) {
                return Err(InvalidKeyRing::SameId(key.id));
            }
            if let Some(other) = keys.iter().find(|other| other.bytes() == key.bytes()) {
                return Err(InvalidKeyRing::SameKey(other.id.clone(), key.id));
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }
}

impl Clone for KeyRing {
    fn clone(&self) -> Self {
        let copied = |key: &Key| Key {
            id: key.id.clone(),
            bytes: SecretBox::init_with_mut(|bytes: &mut [u8; KEY]| *bytes = *key.bytes()),
        };
        Self(self.0.iter().map(copied).collect())
    }
}

/// The ids alone.
impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.ids()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(key: [u8; KEY]) -> String {
        STANDARD.encode(key)
    }

    #[test]
    fn the_first_key_encrypts_and_one_without_an_id_is_the_first_that_was() {
        let (one, two) = (text([1; KEY]), text([2; KEY]));
        let ring: KeyRing = format!(" new:{two} , {one}\n").parse().unwrap();
        assert_eq!(ring.ids().collect::<Vec<_>>(), ["new", "1"]);
        assert_eq!(ring.encrypting().bytes(), &[2; KEY]);
        assert_eq!(ring.get("1").unwrap().bytes(), &[1; KEY]);
        assert!(ring.get("old").is_none());
        assert_eq!(format!("{ring:?}"), r#"{"new", "1"}"#);
    }

    #[test]
    fn what_is_no_ring_is_refused_without_a_word_of_a_key() {
        use InvalidKeyRing::{Empty, Id, Length, NotBase64, SameId, SameKey, TooMany};

        let (one, two) = (text([1; KEY]), text([2; KEY]));
        let many = (0..=MOST).map(|n| format!("{n}:{}", text([u8::try_from(n).unwrap(); KEY])));
        let many = many.collect::<Vec<_>>().join(",");
        for (wrong, why) in [
            (String::new(), Empty(1)),
            ("a:".to_owned(), Empty(1)),
            (format!("a:{one},"), Empty(2)),
            (format!(":{one}"), Id(1)),
            (format!("a b:{one}"), Id(1)),
            (format!("{}:{one}", "x".repeat(LONGEST_ID + 1)), Id(1)),
            // The other way round.
            (format!("{one}:a"), Id(1)),
            ("a:hunter2!".to_owned(), NotBase64(1)),
            (one.trim_end_matches('=').to_owned(), NotBase64(1)),
            (STANDARD.encode([1; 16]), Length(1, 16)),
            // In hexadecimal, which is base64 of something else.
            ("ab".repeat(KEY), Length(1, 48)),
            (format!("a:{one},a:{two}"), SameId("a".to_owned())),
            (format!("{one},1:{two}"), SameId("1".to_owned())),
            (
                format!("a:{one},b:{one}"),
                SameKey("a".to_owned(), "b".to_owned()),
            ),
            (many, TooMany(MOST + 1)),
        ] {
            let found = wrong.parse::<KeyRing>().unwrap_err();
            assert_eq!(found, why, "{wrong}");
            let said = format!("{found} {found:?}");
            for secret in [&*one, &*two, "hunter2", "abab"] {
                assert!(!said.contains(secret.trim_end_matches('=')), "{said}");
            }
        }
    }

    #[test]
    fn a_key_that_was_made_is_one_and_no_other() {
        let made = [(); 2].map(|()| KeyRing::generate_key("2026-01").unwrap());
        let rings = made.map(|key| key.expose_secret().parse::<KeyRing>().unwrap());
        assert_eq!(rings[0].ids().collect::<Vec<_>>(), ["2026-01"]);
        assert_ne!(rings[0].encrypting().bytes(), rings[1].encrypting().bytes());
        assert_eq!(
            KeyRing::generate_key("a:b").err(),
            Some(InvalidKeyRing::Id(1))
        );
    }

    proptest! {
        #[test]
        fn any_text_is_a_ring_or_is_refused(text in "\\PC{0,200}") {
            let _ = text.parse::<KeyRing>();
        }

        #[test]
        fn what_is_almost_a_ring_is_one_or_is_refused(
            text in "([a-z]{0,3}:?[A-Za-z0-9+/]{40,44}={0,2},?){0,12}"
        ) {
            if let Ok(ring) = text.parse::<KeyRing>() {
                prop_assert!((1..=MOST).contains(&ring.0.len()));
            }
        }

        #[test]
        fn a_ring_is_read_as_it_is_written(
            keys in prop::collection::btree_map("[A-Za-z0-9_.-]{1,32}", any::<[u8; KEY]>(), 1..=MOST)
        ) {
            let distinct: std::collections::BTreeSet<_> = keys.values().collect();
            prop_assume!(distinct.len() == keys.len());
            let parts = keys.iter().map(|(id, key)| format!("{id}:{}", text(*key)));
            let ring: KeyRing = parts.collect::<Vec<_>>().join(",").parse().unwrap();
            prop_assert_eq!(ring.0.len(), keys.len());
            for (key, (id, bytes)) in ring.clone().0.iter().zip(&keys) {
                prop_assert_eq!((key.id(), key.bytes()), (&**id, bytes));
            }
        }
    }
}
