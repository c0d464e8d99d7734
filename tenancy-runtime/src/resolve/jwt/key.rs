//! A key, and what it may verify. That is said by the key and never by a token:
//! a public key that a token calls an HMAC secret would be one that everybody has.

use std::fmt;
use std::sync::Once;

use jsonwebtoken::crypto::rust_crypto;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use secrecy::{ExposeSecret, SecretString};

use super::JwtAlgorithm;

/// Why something is no key that tokens can be checked with. It holds nothing of
/// the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidKey(String);

impl InvalidKey {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// A key with the algorithms that it may verify, and no others.
pub(super) struct Key {
    decoding: DecodingKey,
    algorithms: Vec<Algorithm>,
}

/// The fewest bytes of an RSA modulus: RFC 7518, section 3.3.
const RSA_BYTES: usize = 2048 / 8;

/// More than anybody has, and each bit costs us work.
const RSA_BYTES_MOST: usize = 8192 / 8;

impl Key {
    /// A secret that both sides have, as long as the algorithm's hash or longer
    /// ([RFC 7518, section 3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2)).
    pub(super) fn secret(
        secret: &SecretString,
        algorithm: JwtAlgorithm,
    ) -> Result<Self, InvalidKey> {
        let name = algorithm.as_str();
        let least = match algorithm {
            JwtAlgorithm::Hs256 => 32,
            JwtAlgorithm::Hs384 => 48,
            JwtAlgorithm::Hs512 => 64,
            _ => {
                return Err(InvalidKey::new(format!(
                    "is a secret, and {name} needs a public key"
                )));
            }
        };
        let secret = secret.expose_secret();
        if secret.len() < least {
            return Err(InvalidKey::new(format!(
                "has {} bytes, and {name} needs {least} or more",
                secret.len()
            )));
        }
        // What is published, or is part of a file format, is no secret.
        if secret.contains("-----BEGIN") {
            return Err(InvalidKey::new("is a PEM key and no secret"));
        }
        Ok(Self::of(
            DecodingKey::from_secret(secret.as_bytes()),
            vec![into_theirs(algorithm)],
        ))
    }

    /// A public key of any kind, with the algorithm of its kind: for RSA it is
    /// RS256 unless another is said.
    pub(super) fn pem(pem: &str, algorithm: Option<JwtAlgorithm>) -> Result<Self, InvalidKey> {
        use_our_provider();
        if pem.contains("PRIVATE KEY") {
            return Err(InvalidKey::new(
                "is a private key, which only who makes the tokens should have",
            ));
        }
        if pem.contains("CERTIFICATE") {
            return Err(InvalidKey::new("is a certificate and no public key"));
        }
        let bytes = pem.trim().as_bytes();
        let decoding = DecodingKey::from_rsa_pem(bytes)
            .or_else(|_| DecodingKey::from_ec_pem(bytes))
            .or_else(|_| DecodingKey::from_ed_pem(bytes))
            .map_err(|_| InvalidKey::new("is no RSA, EC or Ed25519 public key in PEM"))?;
        let jwk = Jwk::from_decoding_key(&decoding, None)
            .map_err(|_| InvalidKey::new("is no RSA, P-256, P-384 or Ed25519 key"))?;
        let possible = algorithms_of(&jwk.algorithm)?;
        let Some(algorithm) = algorithm.map(into_theirs) else {
            return Ok(Self::of(decoding, vec![possible[0]]));
        };
        if !possible.contains(&algorithm) {
            return Err(InvalidKey::new(format!(
                "is a key for {}, and not for {algorithm:?}",
                listed(&possible)
            )));
        }
        Ok(Self::of(decoding, vec![algorithm]))
    }

    /// A key of a set: for its own algorithm where it names one, and for those of
    /// its kind otherwise. A secret has no business in a set.
    pub(super) fn jwk(jwk: &Jwk) -> Result<Self, InvalidKey> {
        if !matches!(
            jwk.common.public_key_use,
            None | Some(PublicKeyUse::Signature)
        ) {
            return Err(InvalidKey::new("is not for signatures"));
        }
        let operations = jwk.common.key_operations.as_deref();
        if operations.is_some_and(|all| !all.contains(&KeyOperations::Verify)) {
            return Err(InvalidKey::new("is not for verifying"));
        }
        let mut algorithms = algorithms_of(&jwk.algorithm)?;
        if let Some(named) = jwk.common.key_algorithm {
            algorithms.retain(|algorithm| KeyAlgorithm::from(*algorithm) == named);
        }
        if algorithms.is_empty() {
            return Err(InvalidKey::new("names an algorithm of another kind of key"));
        }
        let decoding =
            DecodingKey::from_jwk(jwk).map_err(|_| InvalidKey::new("cannot be decoded"))?;
        Ok(Self::of(decoding, algorithms))
    }

    fn of(decoding: DecodingKey, algorithms: Vec<Algorithm>) -> Self {
        use_our_provider();
        Self {
            decoding,
            algorithms,
        }
    }

    pub(super) fn may_verify(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    pub(super) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a key for {}", listed(&self.algorithms))
    }
}

/// What a key of this kind can verify, the usual one first.
fn algorithms_of(kind: &AlgorithmParameters) -> Result<Vec<Algorithm>, InvalidKey> {
    let bytes = |text: &str| text.trim_end_matches('=').len() * 3 / 4;
    match kind {
        AlgorithmParameters::RSA(key) => {
            let size = bytes(&key.n);
            if !(RSA_BYTES..=RSA_BYTES_MOST).contains(&size) {
                return Err(InvalidKey::new(
                    "is an RSA key of less than 2048 bits, or of more than 8192",
                ));
            }
            Ok(vec![
                Algorithm::RS256,
                Algorithm::RS384,
                Algorithm::RS512,
                Algorithm::PS256,
                Algorithm::PS384,
                Algorithm::PS512,
            ])
        }
        AlgorithmParameters::EllipticCurve(key) => match (&key.curve, bytes(&key.x)) {
            (EllipticCurve::P256, 32) => Ok(vec![Algorithm::ES256]),
            (EllipticCurve::P384, 48) => Ok(vec![Algorithm::ES384]),
            _ => Err(InvalidKey::new("is on another curve than P-256 and P-384")),
        },
        AlgorithmParameters::OctetKeyPair(key) => match (&key.curve, bytes(&key.x)) {
            (EllipticCurve::Ed25519, 32) => Ok(vec![Algorithm::EdDSA]),
            _ => Err(InvalidKey::new("is on another curve than Ed25519")),
        },
        _ => Err(InvalidKey::new("is no RSA, EC or Ed25519 public key")),
    }
}

fn listed(algorithms: &[Algorithm]) -> String {
    let names: Vec<_> = algorithms.iter().map(|one| format!("{one:?}")).collect();
    names.join(", ")
}

pub(super) fn into_theirs(algorithm: JwtAlgorithm) -> Algorithm {
    match algorithm {
        JwtAlgorithm::Hs256 => Algorithm::HS256,
        JwtAlgorithm::Hs384 => Algorithm::HS384,
        JwtAlgorithm::Hs512 => Algorithm::HS512,
        JwtAlgorithm::Rs256 => Algorithm::RS256,
        JwtAlgorithm::Rs384 => Algorithm::RS384,
        JwtAlgorithm::Rs512 => Algorithm::RS512,
        JwtAlgorithm::Ps256 => Algorithm::PS256,
        JwtAlgorithm::Ps384 => Algorithm::PS384,
        JwtAlgorithm::Ps512 => Algorithm::PS512,
        JwtAlgorithm::Es256 => Algorithm::ES256,
        JwtAlgorithm::Es384 => Algorithm::ES384,
        JwtAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}

/// Where the application's dependencies switch on another backend of
/// `jsonwebtoken` as well, it panics until one is chosen. Who has chosen before
/// us keeps the choice.
fn use_our_provider() {
    static CHOSEN: Once = Once::new();
    CHOSEN.call_once(|| {
        let _ = rust_crypto::DEFAULT_PROVIDER.install_default();
    });
}
