use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use jsonwebtoken::Algorithm;
use secrecy::SecretString;

use super::JwtAlgorithm;
use super::jwks::{FetchKeys, Jwks, Rotation};
use super::key::{InvalidKey, Key};
use crate::error::Result;

/// What tokens are checked with: one key, or a set that changes. The environment
/// names it by `TENANCY_JWT_SECRET`, `TENANCY_JWT_PUBLIC_KEY` or `TENANCY_JWKS`;
/// this is for those who have it from somewhere else.
#[derive(Clone)]
pub struct JwtKeys(Kind);

#[derive(Clone)]
enum Kind {
    One(Arc<Key>),
    Set(Arc<Jwks>),
}

impl JwtKeys {
    /// A secret that the issuer has as well.
    ///
    /// # Errors
    ///
    /// When it is shorter than the algorithm's hash, or the algorithm is not one
    /// of HS256, HS384 and HS512.
    pub fn secret(secret: &SecretString, algorithm: JwtAlgorithm) -> Result<Self, InvalidKey> {
        Key::secret(secret, algorithm).map(Self::one)
    }

    /// A public key in PEM. An RSA key is for RS256 unless another algorithm is
    /// named; the others have one each.
    ///
    /// # Errors
    ///
    /// When it is none, or none for this algorithm.
    pub fn pem(pem: &str, algorithm: Option<JwtAlgorithm>) -> Result<Self, InvalidKey> {
        Key::pem(pem, algorithm).map(Self::one)
    }

    /// The JSON Web Key Set in a file, which is read again when it may have
    /// changed.
    ///
    /// # Errors
    ///
    /// When it cannot be read or has no key of use.
    pub fn file(path: impl Into<PathBuf>) -> Result<Self, InvalidKey> {
        Jwks::file(path.into()).map(Self::set)
    }

    /// The JSON Web Key Set at a URL, fetched when it is needed; `https://` with the
    /// feature `tls`. Whoever can answer in the place of an `http://` URL can make
    /// tokens: that is for a proxy on the same machine, or a network of one's own.
    ///
    /// # Errors
    ///
    /// When it is no such URL.
    pub fn url(url: &str) -> Result<Self, InvalidKey> {
        Jwks::url(url).map(Self::set)
    }

    /// The JSON Web Key Set that `fetch` fetches when it is needed.
    #[must_use]
    pub fn fetched(fetch: impl FetchKeys) -> Self {
        Self::set(Jwks::new(fetch))
    }

    /// With these times, where the keys change at all. It begins anew, without
    /// the keys that were fetched.
    #[must_use]
    pub fn rotation(self, rotation: Rotation) -> Self {
        match self.0 {
            Kind::One(_) => self,
            Kind::Set(jwks) => Self::set(jwks.with(rotation)),
        }
    }

    fn one(key: Key) -> Self {
        Self(Kind::One(Arc::new(key)))
    }

    fn set(jwks: Jwks) -> Self {
        Self(Kind::Set(Arc::new(jwks)))
    }

    /// The keys that a token of this header may be signed with. Where there is one
    /// key only, its name is the issuer's own business.
    pub(super) async fn find(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Vec<Arc<Key>>> {
        match &self.0 {
            Kind::One(key) if key.may_verify(algorithm) => Ok(vec![Arc::clone(key)]),
            Kind::One(_) => Ok(Vec::new()),
            Kind::Set(jwks) => jwks.find(kid, algorithm).await,
        }
    }
}

impl fmt::Debug for JwtKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::One(key) => key.fmt(f),
            Kind::Set(_) => f.write_str("a set of keys"),
        }
    }
}
