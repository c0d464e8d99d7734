//! The rules of `resolver = "jwt"`: what is written of the tokens that are taken.

use syn::LitStr;

use crate::common::{Choices, Errors, did_you_mean};

use super::attr::{Key, Written};
use super::ir::{Expected, Jwt};

/// The names of tokens' headers, and the runtime's for them.
const ALGORITHMS: Choices<&str> = Choices {
    what: "algorithm",
    all: &[
        ("HS256", "Hs256"),
        ("HS384", "Hs384"),
        ("HS512", "Hs512"),
        ("RS256", "Rs256"),
        ("RS384", "Rs384"),
        ("RS512", "Rs512"),
        ("PS256", "Ps256"),
        ("PS384", "Ps384"),
        ("PS512", "Ps512"),
        ("ES256", "Es256"),
        ("ES384", "Es384"),
        ("EdDSA", "EdDsa"),
    ],
};

/// The resolver, chosen by `literal`. What is not written, the environment says.
pub(super) fn built(written: &Written, literal: &LitStr) -> Jwt {
    Jwt {
        span: literal.span(),
        claim: written.text(Key::Claim).cloned(),
        audience: written.text(Key::Audience).map(expected),
        issuer: written.text(Key::Issuer).map(expected),
        // An unknown one was reported.
        algorithm: written
            .text(Key::Algorithm)
            .and_then(|word| ALGORITHMS.find(&word.value())),
    }
}

/// The word for everybody, as in the environment.
fn expected(literal: &LitStr) -> Expected {
    match literal.value().as_str() {
        "any" => Expected::Any,
        _ => Expected::One(literal.clone()),
    }
}

/// The rule of the runtime's `JwtResolver`.
pub(super) fn claim(literal: &LitStr, errors: &mut Errors) {
    let text = literal.value();
    let Some(way) = text.strip_prefix('/') else {
        return named(literal, "write `claim = \"tenant_id\"`", errors);
    };
    let escaped = |rest: &str| rest.starts_with(['0', '1']);
    let name = |part: &str| !part.is_empty() && part.split('~').skip(1).all(escaped);
    if !way.split('/').all(name) {
        errors.at(
            literal,
            "a claim within others is the names that lead to it, each after a `/`: write `claim = \
             \"/app_metadata/tenant\"`, with `~1` for a slash in a name and `~0` for a `~`",
        );
    }
}

pub(super) fn audience(literal: &LitStr, errors: &mut Errors) {
    let usage = "write `audience = \"my-app\"`, or `audience = \"any\"` to take tokens for other \
                 applications as well";
    named(literal, usage, errors);
}

pub(super) fn issuer(literal: &LitStr, errors: &mut Errors) {
    let usage = "write `issuer = \"https://login.myapp.com\"`, or `issuer = \"any\"` where the key \
                 says enough";
    named(literal, usage, errors);
}

/// An empty text is no name of anything.
fn named(literal: &LitStr, usage: &str, errors: &mut Errors) {
    if literal.value().trim().is_empty() {
        errors.at(literal, format_args!("this names nothing: {usage}"));
    }
}

pub(super) fn algorithm(literal: &LitStr, errors: &mut Errors) {
    let word = literal.value();
    if word.eq_ignore_ascii_case("none") {
        errors.at(
            literal,
            format_args!(
                "a token without a signature proves nothing (expected {})",
                ALGORITHMS.listed()
            ),
        );
        return;
    }
    if ALGORITHMS.find(&word).is_some() {
        return;
    }
    // In the letters of the table, or `hs256` would be nothing like `HS256`.
    let names = ALGORITHMS.all.iter().map(|(known, _)| *known);
    let same = names
        .clone()
        .find(|known| known.eq_ignore_ascii_case(&word));
    let meant = same.map_or_else(|| word.to_uppercase(), str::to_owned);
    let hint = did_you_mean(&meant, names);
    errors.at(
        literal,
        format_args!(
            "unknown algorithm `{word}`{hint} (expected {})",
            ALGORITHMS.listed()
        ),
    );
}
