//! The resolver `jwt`: what its attribute declares, with what the environment
//! says of it.

#[cfg(feature = "jwt")]
mod keys;

use super::read::Reader;
use super::variables::{JWT_ALGORITHM, JWT_AUDIENCE, JWT_ISSUER, JWT_TENANT_CLAIM, Variable};
use crate::problem::Problem;
use crate::resolve::{Claim, Expected, JwtAlgorithm, JwtResolver};

/// The resolver as it is used, or every reason why there is none.
pub(super) fn complete(reader: &mut Reader, mut resolver: JwtResolver) -> JwtResolver {
    let takes = "a claim's name, or a `/` and the way to it within others";
    let parse = |text: &str| Claim::parse(text).ok();
    let claim = reader.parsed(JWT_TENANT_CLAIM, takes, "/app_metadata/tenant", parse);
    if claim.is_some() {
        resolver.rules.claim = claim;
    }
    let takes = "an algorithm: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, \
                 ES256, ES384 or EdDSA";
    let parse = |text: &str| text.parse::<JwtAlgorithm>().ok();
    if let Some(algorithm) = reader.parsed(JWT_ALGORITHM, takes, "RS256", parse) {
        resolver = resolver.algorithm(algorithm);
    }
    let rules = &mut resolver.rules;
    let taken = "a token for another application of the same issuer";
    rules.audience = expected(reader, JWT_AUDIENCE, &rules.audience, "audience", taken);
    let taken = "a token of anybody who shares the key";
    rules.issuer = expected(reader, JWT_ISSUER, &rules.issuer, "issuer", taken);
    with_keys(reader, resolver)
}

/// What the environment says, or the attribute; one of them has to.
fn expected(
    reader: &mut Reader,
    variable: Variable,
    declared: &Expected,
    word: &str,
    taken: &str,
) -> Expected {
    if let Some(text) = reader.text(variable) {
        return Expected::read(&text);
    }
    if *declared == Expected::Unnamed && !reader.is_set(variable) {
        reader.problem(Problem::new(
            variable.name,
            format!("is not set, and without it {taken} would be taken"),
            format!(
                "set it to the {word} of your tokens, or to {} if that is meant",
                Expected::ANY
            ),
        ));
    }
    declared.clone()
}

#[cfg(feature = "jwt")]
use keys::complete as with_keys;

#[cfg(not(feature = "jwt"))]
fn with_keys(reader: &mut Reader, resolver: JwtResolver) -> JwtResolver {
    reader.problem(Problem::new(
        "the resolver `jwt`",
        "is not in this build",
        "add the feature in Cargo.toml: tenancy = { features = [\"jwt\"] }",
    ));
    resolver
}
