//! Tokens as anybody can make them: every part of them may be wrong.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use super::{A, AUDIENCE, ISSUER, SECRET};

pub(crate) const RSA: &str = include_str!("../../keys/rsa.pem");
pub(super) const RSA_PUBLIC: &str = include_str!("../../keys/rsa.pub.pem");
pub(super) const OTHER_RSA: &str = include_str!("../../keys/other.pem");
pub(super) const P256: &str = include_str!("../../keys/p256.pem");
pub(super) const P256_PUBLIC: &str = include_str!("../../keys/p256.pub.pem");
pub(super) const P384: &str = include_str!("../../keys/p384.pem");
pub(super) const P384_PUBLIC: &str = include_str!("../../keys/p384.pub.pem");
pub(super) const ED25519: &str = include_str!("../../keys/ed25519.pem");
pub(super) const ED25519_PUBLIC: &str = include_str!("../../keys/ed25519.pub.pem");
pub(super) const SHORT_RSA_PUBLIC: &str = include_str!("../../keys/rsa1024.pub.pem");

/// Seconds from now.
pub(super) fn at(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.expect("a clock").as_secs()).expect("a time") + seconds
}

/// A token that is good until something of it is changed.
#[derive(Clone)]
pub(crate) struct Token {
    pub(super) header: Value,
    pub(super) claims: Value,
    key: EncodingKey,
    algorithm: Algorithm,
}

impl Token {
    fn new(algorithm: Algorithm, key: EncodingKey) -> Self {
        Self {
            header: json!({ "typ": "JWT", "alg": format!("{algorithm:?}") }),
            claims: json!({
                "sub": "alice",
                "tenant_id": A,
                "aud": AUDIENCE,
                "iss": ISSUER,
                "exp": at(600),
                "roles": ["admin"],
            }),
            key,
            algorithm,
        }
    }

    pub(super) fn secret() -> Self {
        Self::hmac(Algorithm::HS256, SECRET)
    }

    pub(super) fn hmac(algorithm: Algorithm, secret: &str) -> Self {
        Self::new(algorithm, EncodingKey::from_secret(secret.as_bytes()))
    }

    pub(crate) fn pem(algorithm: Algorithm, pem: &str) -> Self {
        let pem = pem.as_bytes();
        let key = match algorithm {
            Algorithm::ES256 | Algorithm::ES384 => EncodingKey::from_ec_pem(pem),
            Algorithm::EdDSA => EncodingKey::from_ed_pem(pem),
            _ => EncodingKey::from_rsa_pem(pem),
        };
        Self::new(algorithm, key.expect("a private key"))
    }

    /// With this claim, or without it if the value is null.
    pub(super) fn claim(mut self, name: &str, value: Value) -> Self {
        set(&mut self.claims, name, value);
        self
    }

    /// With this member of the header, or without it.
    pub(crate) fn header(mut self, name: &str, value: Value) -> Self {
        set(&mut self.header, name, value);
        self
    }

    /// What is signed.
    pub(super) fn message(&self) -> String {
        let header = self.header.to_string();
        let claims = self.claims.to_string();
        format!(
            "{}.{}",
            encoded(header.as_bytes()),
            encoded(claims.as_bytes())
        )
    }

    pub(crate) fn mint(&self) -> String {
        signed(&self.message(), &self.key, self.algorithm)
    }
}

/// `header.claims.signature`, whatever the header says of it.
pub(super) fn signed(message: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let signature = crypto::sign(message.as_bytes(), key, algorithm).expect("a signature");
    format!("{message}.{signature}")
}

fn set(object: &mut Value, name: &str, value: Value) {
    let object = object.as_object_mut().expect("an object");
    if value.is_null() {
        object.remove(name);
    } else {
        object.insert(name.to_owned(), value);
    }
}

/// In the alphabet of URLs, without padding.
pub(super) fn encoded(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut bits = 0;
        for position in 0..3 {
            bits = bits << 8 | u32::from(chunk.get(position).copied().unwrap_or(0));
        }
        for position in 0..=chunk.len() {
            let index = bits >> (18 - 6 * position) & 63;
            text.push(char::from(ALPHABET[index as usize]));
        }
    }
    text
}
