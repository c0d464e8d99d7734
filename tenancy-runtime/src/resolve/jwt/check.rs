//! From a request's token to a candidate, or to the one refusal.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use axum::http::request::Parts;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::Value;

use super::claims::Verified;
use super::key::into_theirs;
use super::keys::JwtKeys;
use super::{Claim, Expected, Rules, bearer};
use crate::error::{Error, Result};
use crate::resolve::{Candidate, Principal, Resolver};
use crate::tenant::Slug;

/// How far the issuer's clock may be from ours, in seconds.
const LEEWAY: u64 = 30;

/// Checks tokens. Whatever is wrong with one, the answer is the same.
pub(super) struct Checker {
    keys: JwtKeys,
    claim: Claim,
    /// Further than by the keys, which decide in any case.
    only: Option<Algorithm>,
    validation: Validation,
}

impl Checker {
    /// By these keys. An audience and an issuer that were not named are refused
    /// before; here they are no audience and no issuer.
    pub(super) fn new(rules: &Rules, keys: JwtKeys) -> Self {
        let mut required = vec!["exp"];
        let mut validation = Validation {
            leeway: LEEWAY,
            validate_nbf: true,
            validate_aud: rules.audience != Expected::Any,
            aud: accepted(&rules.audience),
            iss: accepted(&rules.issuer),
            ..Validation::default()
        };
        required.extend(validation.aud.as_ref().map(|_| "aud"));
        required.extend(validation.iss.as_ref().map(|_| "iss"));
        validation.set_required_spec_claims(&required);
        Self {
            keys,
            claim: rules.claim(),
            only: rules.algorithm.map(into_theirs),
            validation,
        }
    }

    /// The claims of a token that holds.
    async fn verify(&self, token: &str) -> Result<Value> {
        let header = decode_header(token).map_err(|error| refused(&error))?;
        // What must be understood and is not (RFC 7515, section 4.1.11).
        if header.crit.is_some() {
            return Err(refused("it has critical headers"));
        }
        if self.only.is_some_and(|only| only != header.alg) {
            return Err(refused("it is signed by another algorithm"));
        }
        let keys = self.keys.find(header.kid.as_deref(), header.alg).await?;
        let mut validation = self.validation.clone();
        validation.algorithms = vec![header.alg];
        let mut why = Err(refused("no key is for it"));
        for key in keys {
            match decode::<Value>(token, key.decoding(), &validation) {
                Ok(data) => return Ok(data.claims),
                Err(error) => why = Err(refused(&error)),
            }
        }
        why
    }

    /// The tenant and the subject that the claims name.
    fn candidate(&self, claims: Value) -> Option<Candidate> {
        let slug: Slug = self.claim.of(&claims)?.as_str()?.parse().ok()?;
        // A list of issuers is none (RFC 7519, section 4.1.1).
        if claims.get("iss").is_some_and(|issuer| !issuer.is_string()) {
            return None;
        }
        let principal = match claims.get("sub") {
            None => None,
            Some(subject) => Some(Principal::new(subject.as_str()?)),
        };
        let candidate = Candidate::proven(slug).with(Verified(Arc::new(claims)));
        Some(match principal {
            Some(principal) => candidate.with(principal),
            None => candidate,
        })
    }
}

#[async_trait]
impl Resolver for Checker {
    async fn resolve(&self, request: &Parts) -> Result<Option<Candidate>> {
        let token = bearer::token(&request.headers)
            .map_err(|bearer::Malformed| refused("there is not one bearer token"))?;
        let Some(token) = token else {
            return Ok(None);
        };
        let claims = self.verify(token).await?;
        let candidate = self.candidate(claims);
        candidate
            .map(Some)
            .ok_or_else(|| refused("its tenant, subject or issuer cannot be read"))
    }

    fn proves_membership(&self) -> bool {
        true
    }

    fn missing(&self) -> Error {
        Error::InvalidToken
    }
}

/// What is taken, unless everything is.
fn accepted(expected: &Expected) -> Option<HashSet<String>> {
    match expected {
        Expected::Any => None,
        Expected::One(name) => Some(HashSet::from([name.to_string()])),
        Expected::Unnamed => Some(HashSet::new()),
    }
}

/// The refusal. Only the log learns why, and not at its usual level: anybody can
/// have it written.
fn refused(why: impl std::fmt::Display) -> Error {
    tracing::debug!(%why, "a token is refused");
    Error::InvalidToken
}

#[cfg(test)]
mod tests {
    use axum::http::{Request, header};
    use jsonwebtoken::{EncodingKey, Header, encode};
    use proptest::prelude::*;
    use secrecy::SecretString;
    use serde_json::json;

    use super::*;
    use crate::resolve::{JwtAlgorithm, JwtResolver};

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn checker() -> Checker {
        let rules = JwtResolver::new().audience("api").any_issuer().rules;
        let secret = SecretString::from(SECRET);
        Checker::new(
            &rules,
            JwtKeys::secret(&secret, JwtAlgorithm::Hs256).unwrap(),
        )
    }

    fn good() -> String {
        let claims = json!({ "tenant_id": "acme-corp", "aud": "api", "exp": 9_999_999_999_u64 });
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        encode(&Header::default(), &claims, &key).unwrap()
    }

    fn resolve(token: &str) -> Result<Option<Candidate>> {
        let request = Request::get("/").header(header::AUTHORIZATION, format!("Bearer {token}"));
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(checker().resolve(&parts))
    }

    proptest! {
        /// Whatever is sent in its place: no panic, and it is refused.
        #[test]
        fn no_token_holds_but_the_one_that_was_signed(
            text in "[A-Za-z0-9_.=+/~-]{0,120}",
            position in any::<prop::sample::Index>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let good = good();
            prop_assert!(resolve(&good).unwrap().is_some_and(|found| found.is_proven()));
            let at = position.index(good.len());
            let put = text.chars().next().unwrap_or('.');
            let changed = format!("{}{put}{}", &good[..at], &good[at + 1..]);
            let longer = format!("{}{text}{}", &good[..at], &good[at..]);
            let shorter = good[..cut.index(good.len())].to_owned();
            for other in [text, changed, longer, shorter] {
                if other != good {
                    let refused = resolve(&other);
                    prop_assert!(matches!(refused, Err(Error::InvalidToken)), "{}", other);
                }
            }
        }
    }
}
