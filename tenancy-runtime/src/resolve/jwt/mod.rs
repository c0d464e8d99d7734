//! Tenants named by a claim of a signed token: `Authorization: Bearer …`.
//!
//! What is declared of it is here, in every build; what checks tokens comes with
//! the feature `jwt`.

mod algorithm;
#[cfg(feature = "jwt")]
mod bearer;
#[cfg(feature = "jwt")]
mod check;
mod claim;
#[cfg(feature = "jwt")]
mod claims;
#[cfg(feature = "jwt")]
mod jwks;
#[cfg(feature = "jwt")]
mod key;
#[cfg(feature = "jwt")]
mod keys;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use axum::http::request::Parts;

use super::{Candidate, Resolver};
use crate::error::{Error, Result};

pub use algorithm::JwtAlgorithm;
pub(crate) use claim::Claim;
#[cfg(feature = "jwt")]
pub use claims::Claims;
#[cfg(feature = "jwt")]
pub use jwks::{FetchKeys, Rotation};
#[cfg(feature = "jwt")]
pub use key::InvalidKey;
#[cfg(feature = "jwt")]
pub use keys::JwtKeys;

/// The claim that names the tenant, unless another is said.
#[cfg(feature = "jwt")]
const CLAIM: &str = "tenant_id";

/// Reads the tenant's slug from a claim of the request's bearer token, which also
/// proves that the request may act for it. It needs the feature `jwt`.
///
/// A token is taken when it is signed by a key of ours with an algorithm of that
/// key, has not expired (`exp` is required; clocks may be 30 seconds apart), is
/// valid already (`nbf`), is meant for this application (`aud`) and made by the
/// issuer that we trust (`iss`). Everything else is one and the same 401. Keys
/// come from the environment (`TENANCY_JWT_SECRET`, `TENANCY_JWT_PUBLIC_KEY` or
/// `TENANCY_JWKS`), or from a `JwtKeys`.
///
/// ```
/// use tenancy_runtime::app::App;
/// use tenancy_runtime::resolve::JwtResolver;
///
/// let resolver = JwtResolver::new()
///     .claim("org")
///     .audience("api")
///     .issuer("https://login.myapp.com/");
/// let app = App::new("shop", "1.0.0").resolver(resolver);
/// ```
#[derive(Clone, Default)]
pub struct JwtResolver {
    pub(crate) rules: Rules,
    #[cfg(feature = "jwt")]
    pub(crate) keys: Option<JwtKeys>,
    ready: Option<Arc<dyn Resolver>>,
}

/// What a token must say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    pub(crate) claim: Option<Claim>,
    pub(crate) audience: Expected,
    pub(crate) issuer: Expected,
    pub(crate) algorithm: Option<JwtAlgorithm>,
}

/// What a claim must be, of those that only the application can know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nobody has said it.
    #[default]
    Unnamed,
    /// It may be missing, or anything.
    Any,
    /// This.
    One(Box<str>),
}

impl Expected {
    /// The word for [`Any`](Self::Any) in attributes and in the environment.
    pub(crate) const ANY: &str = "any";

    /// As it is written in the environment.
    pub(crate) fn read(word: &str) -> Self {
        if word == Self::ANY {
            Self::Any
        } else {
            Self::One(word.into())
        }
    }
}

#[cfg(feature = "jwt")]
impl Rules {
    fn claim(&self) -> Claim {
        let usual = || Claim::parse(CLAIM).expect("a name");
        self.claim.clone().unwrap_or_else(usual)
    }
}

impl JwtResolver {
    /// With the claim `tenant_id`, and nothing said yet of audience and issuer,
    /// which the environment must then name.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the tenant from this claim, which is a text. It is given by its whole
    /// name, whatever that has in it (`https://myapp.com/tenant`), or with a `/` at the
    /// beginning by the way to it within others, which is a JSON pointer
    /// ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)):
    ///
    /// ```
    /// use tenancy_runtime::resolve::JwtResolver;
    ///
    /// // {"app_metadata": {"tenant": "acme-corp"}}
    /// let resolver = JwtResolver::new().claim("/app_metadata/tenant");
    /// ```
    ///
    /// # Panics
    ///
    /// If `claim` is empty, or no such way. In `#[tenancy::app]` that is a compile
    /// error instead.
    #[must_use]
    pub fn claim(mut self, claim: &str) -> Self {
        match Claim::parse(claim) {
            Ok(claim) => self.rules.claim = Some(claim),
            Err(error) => panic!("{error}; got `{}`", claim.escape_debug()),
        }
        self
    }

    /// Takes tokens for this audience: `aud` is it, or has it among others.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.rules.audience = Expected::One(audience.into());
        self
    }

    /// Takes tokens for any audience and without one: also those that the issuer
    /// has made for another application.
    #[must_use]
    pub fn any_audience(mut self) -> Self {
        self.rules.audience = Expected::Any;
        self
    }

    /// Takes tokens of this issuer.
    #[must_use]
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.rules.issuer = Expected::One(issuer.into());
        self
    }

    /// Takes tokens of any issuer and without one, which is enough where the key
    /// is one issuer's alone.
    #[must_use]
    pub fn any_issuer(mut self) -> Self {
        self.rules.issuer = Expected::Any;
        self
    }

    /// Takes tokens that are signed by this algorithm. Unless it is said, a secret
    /// is for HS256, and a public key for the algorithm of its kind.
    #[must_use]
    pub fn algorithm(mut self, algorithm: JwtAlgorithm) -> Self {
        self.rules.algorithm = Some(algorithm);
        self
    }

    /// Checks tokens with these keys, unless the environment names others.
    #[cfg(feature = "jwt")]
    #[must_use]
    pub fn keys(mut self, keys: JwtKeys) -> Self {
        self.keys = Some(keys);
        self
    }

    /// With its keys in place, as the configuration does it.
    #[cfg(feature = "jwt")]
    pub(crate) fn complete(mut self, keys: JwtKeys) -> Self {
        self.ready = Some(Arc::new(check::Checker::new(&self.rules, keys)));
        self
    }

    pub(crate) fn ready(&self) -> Arc<dyn Resolver> {
        self.ready.clone().unwrap_or_else(|| Arc::new(Incomplete))
    }
}

impl fmt::Debug for JwtResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rules.fmt(f)
    }
}

/// What was never given a key lets nobody in.
struct Incomplete;

#[async_trait]
impl Resolver for Incomplete {
    async fn resolve(&self, _: &Parts) -> Result<Option<Candidate>> {
        Err(Error::internal(
            "the resolver `jwt` has no keys: read the configuration with `Config::from_vars`",
        ))
    }

    fn proves_membership(&self) -> bool {
        true
    }
}
