//! A value in the form in which it is stored, and back.
//!
//! The form is a version, the nonce, the ciphertext and the tag. Whose secret it
//! is, what it is called and by which key are authenticated with it: in another
//! place it does not decrypt.

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::aead::{AeadInOut as _, Generate as _, KeyInit as _};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::ring::{Key, KeyRing};
use crate::problem::{Problem, shown};
use crate::tenant::TenantId;

const VERSION: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;

/// What a sealed value is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum About<'a> {
    /// The secret of this name of this tenant.
    Secret(TenantId, &'a str),
    /// The secret at this place in the metadata of this tenant.
    Metadata(TenantId, &'a str),
    /// The key itself: a proof of which key it is.
    Key,
    /// A login to this tenant's database.
    Login(TenantId, Login),
}

/// Whose login it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Login {
    /// The application's role's.
    App,
    /// The owner's.
    Owner,
}

/// A sealed value was changed, or belongs elsewhere, or another key made it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// Why a ring opens something not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// It has not the key of this id.
    NoKey(String),
    /// What the key of this id has sealed is [`Unreadable`] by now.
    Changed(String),
}

impl Unopened {
    /// In words, for the log: what it is about, and in which table it stands.
    pub(crate) fn problem(self, about: String, table: &str) -> Problem {
        // As it is stored, where others may write.
        let (Self::NoKey(id) | Self::Changed(id)) = &self;
        let id = shown(id);
        match self {
            Self::NoKey(_) => Problem::new(
                about,
                format!("is encrypted with the key `{id}`"),
                format!("add the key `{id}` to TENANCY_ENCRYPTION_KEY"),
            ),
            Self::Changed(_) => Problem::new(
                about,
                format!(
                    "does not decrypt with the key `{id}`: it was changed, or comes from elsewhere"
                ),
                format!("set it anew, and find out who else writes to {table}"),
            ),
        }
    }
}

impl KeyRing {
    /// Decrypts what one of the keys has encrypted.
    pub(crate) fn open(
        &self,
        key_id: &str,
        about: About<'_>,
        sealed: &[u8],
    ) -> Result<SecretString, Unopened> {
        let id = || key_id.to_owned();
        let key = self.get(key_id).ok_or_else(|| Unopened::NoKey(id()))?;
        open(key, about, sealed).map_err(|Unreadable| Unopened::Changed(id()))
    }
}

impl About<'_> {
    /// What is authenticated beside the value. No two are the same: what has no
    /// length of its own comes last, or with its length before it.
    fn bytes(self, key: &Key) -> Vec<u8> {
        let (kind, tenant, rest) = match self {
            Self::Secret(tenant, name) => (0, Some(tenant), name),
            Self::Key => (1, None, ""),
            Self::Metadata(tenant, place) => (2, Some(tenant), place),
            Self::Login(tenant, Login::App) => (3, Some(tenant), ""),
            Self::Login(tenant, Login::Owner) => (4, Some(tenant), ""),
        };
        let mut bytes = vec![kind];
        if let Some(tenant) = tenant {
            bytes.extend(tenant.as_uuid().as_bytes());
        }
        let id = key.id().as_bytes();
        // An id has 32 bytes at most.
        bytes.push(u8::try_from(id.len()).unwrap_or(u8::MAX));
        bytes.extend(id);
        bytes.extend(rest.as_bytes());
        bytes
    }
}

/// Encrypts a value under a new nonce.
pub(crate) fn seal(key: &Key, about: About<'_>, value: &[u8]) -> Vec<u8> {
    let nonce = XNonce::generate();
    let mut sealed = Vec::with_capacity(1 + NONCE + value.len() + TAG);
    sealed.push(VERSION);
    sealed.extend(nonce);
    sealed.extend(value);
    let cipher = XChaCha20Poly1305::new(key.bytes().into());
    let text = InOutBuf::from(&mut sealed[1 + NONCE..]);
    let tag = cipher
        .encrypt_inout_detached(&nonce, &about.bytes(key), text)
        .expect("a value is shorter than the 256 GiB that the cipher takes");
    sealed.extend(tag);
    sealed
}

/// Decrypts what [`seal`] made of this.
pub(crate) fn open(key: &Key, about: About<'_>, sealed: &[u8]) -> Result<SecretString, Unreadable> {
    let (version, rest) = sealed.split_first().ok_or(Unreadable)?;
    let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or(Unreadable)?;
    let (text, tag) = rest.split_last_chunk::<TAG>().ok_or(Unreadable)?;
    if *version != VERSION {
        return Err(Unreadable);
    }
    // Of exactly its length, so that no copy is left behind when it is taken over.
    let mut value = Zeroizing::new(text.to_vec());
    let cipher = XChaCha20Poly1305::new(key.bytes().into());
    let buffer = InOutBuf::from(value.as_mut_slice());
    cipher
        .decrypt_inout_detached(
            &XNonce::from(*nonce),
            &about.bytes(key),
            buffer,
            &Tag::from(*tag),
        )
        .map_err(|_| Unreadable)?;
    let value = String::from_utf8(std::mem::take(&mut *value));
    value.map(SecretString::from).map_err(|_| Unreadable)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::super::ring::KeyRing;
    use super::*;

    fn ring(ids: [&str; 2]) -> KeyRing {
        let keys = ids.map(|id| KeyRing::generate_key(id).unwrap());
        let keys = keys.map(|key| key.expose_secret().to_owned());
        keys.join(",").parse().unwrap()
    }

    fn opened(key: &Key, about: About<'_>, sealed: &[u8]) -> Option<String> {
        let value = open(key, about, sealed).ok()?;
        Some(value.expose_secret().to_owned())
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_and_in_no_other() {
        let ring = ring(["a", "ab"]);
        let [a, ab] = ["a", "ab"].map(|id| ring.get(id).unwrap());
        let (one, other) = (TenantId::generate(), TenantId::generate());
        let places = [
            About::Secret(one, "smtp"),
            About::Secret(other, "smtp"),
            About::Secret(one, "bsmtp"),
            About::Metadata(one, "smtp"),
            About::Metadata(other, "smtp"),
            About::Metadata(one, "/mail/smtp"),
            About::Login(one, Login::App),
            About::Login(one, Login::Owner),
            About::Login(other, Login::App),
            About::Key,
        ];
        for (number, about) in places.into_iter().enumerate() {
            let sealed = seal(a, about, "hunter2".as_bytes());
            assert_eq!(opened(ab, about, &sealed), None);
            for (place, there) in places.into_iter().enumerate() {
                let opened = opened(a, there, &sealed);
                assert_eq!(opened.is_some(), place == number, "{about:?} as {there:?}");
            }
        }
        // What one id and one name have together is no other two's: "a" and
        // "bsmtp", "ab" and "smtp".
        let bytes = |key, name| About::Secret(one, name).bytes(key);
        let (longer, smtp) = (bytes(a, "bsmtp"), bytes(ab, "smtp"));
        assert_ne!(longer, smtp);
        assert!(longer.ends_with(b"absmtp") && smtp.ends_with(b"absmtp"));
    }

    #[test]
    fn without_what_it_is_about_one_tenants_secret_would_open_as_anothers() {
        // The twin: the same cipher and key, with nothing beside the value.
        let ring = ring(["a", "b"]);
        let cipher = XChaCha20Poly1305::new(ring.encrypting().bytes().into());
        let nonce = XNonce::generate();
        let mut text = b"hunter2".to_vec();
        let tag = cipher.encrypt_inout_detached(&nonce, b"", text.as_mut_slice().into());
        let tag = tag.unwrap();
        // Moved to another tenant's row, nothing tells.
        let moved = cipher.decrypt_inout_detached(&nonce, b"", text.as_mut_slice().into(), &tag);
        assert!(moved.is_ok());
        assert_eq!(text, b"hunter2");
    }

    #[test]
    fn a_bit_that_is_changed_anywhere_is_noticed() {
        let ring = ring(["a", "b"]);
        let key = ring.encrypting();
        let about = About::Secret(TenantId::generate(), "smtp");
        let sealed = seal(key, about, b"hunter2");
        assert_eq!(sealed.len(), 1 + NONCE + 7 + TAG);
        for position in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[position] ^= 1 << bit;
                assert_eq!(opened(key, about, &changed), None, "{position}, {bit}");
            }
            assert_eq!(opened(key, about, &sealed[..position]), None, "{position}");
        }
        // Nor is a value ever stored twice in the same form, or in its own.
        assert_ne!(sealed, seal(key, about, b"hunter2"));
        assert!(!sealed.windows(7).any(|part| part == b"hunter2"));
    }
}
