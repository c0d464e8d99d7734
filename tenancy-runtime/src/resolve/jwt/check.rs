//! From a request's token to a candidate, or to the one refusal.

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::request::Parts;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::Value;

use super::claims::Verified;
use super::key::into_theirs;
use super::keys::JwtKeys;
use super::{Expected, Rules, bearer};
use crate::error::{Error, Result};
use crate::resolve::{Candidate, Principal, Resolver};
use crate::tenant::Slug;

/// How far the issuer's clock may be from ours, in seconds.
const LEEWAY: u64 = 30;

/// Checks tokens. Whatever is wrong with one, the answer is the same.
pub(super) struct Checker {
    keys: JwtKeys,
    claim: Box<str>,
    /// Further than by the keys, which decide in any case.
    only: Option<Algorithm>,
    validation: Validation,
}

impl Checker {
    /// By these keys. An audience and an issuer that were not named are refused
    /// before; here they are no audience and no issuer.
    pub(super) fn new(rules: &Rules, keys: JwtKeys) -> Self {
        let mut validation = Validation {
            leeway: LEEWAY,
            validate_nbf: true,
            ..Validation::default()
        };
        let mut required = vec!["exp"];
        match &rules.audience {
            Expected::Any => validation.validate_aud = false,
            Expected::One(audience) => {
                required.push("aud");
                validation.set_audience(&[audience]);
            }
            Expected::Unnamed => {
                required.push("aud");
                validation.aud = Some(std::collections::HashSet::new());
            }
        }
        match &rules.issuer {
            Expected::Any => {}
            Expected::One(issuer) => {
                required.push("iss");
                validation.set_issuer(&[issuer]);
            }
            Expected::Unnamed => {
                required.push("iss");
                validation.iss = Some(std::collections::HashSet::new());
            }
        }
        validation.set_required_spec_claims(&required);
        Self {
            keys,
            claim: rules.claim().into(),
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
        let slug: Slug = claims.get(&*self.claim)?.as_str()?.parse().ok()?;
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

/// The refusal. Only the log learns why, and not at its usual level: anybody can
/// have it written.
fn refused(why: impl std::fmt::Display) -> Error {
    tracing::debug!(%why, "a token is refused");
    Error::InvalidToken
}
