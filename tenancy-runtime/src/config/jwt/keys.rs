//! The key that tokens are checked with, which only the environment has.

use secrecy::ExposeSecret as _;

use super::super::read::Reader;
use super::super::variables::{JWKS, JWT_PUBLIC_KEY, JWT_SECRET, Variable};
use crate::problem::Problem;
use crate::resolve::{InvalidKey, JwtAlgorithm, JwtKeys, JwtResolver};

/// Where the key can come from.
const SOURCES: [Variable; 3] = [JWT_SECRET, JWT_PUBLIC_KEY, JWKS];

/// The resolver with its keys, or why there are none.
pub(super) fn complete(reader: &mut Reader, resolver: JwtResolver) -> JwtResolver {
    if let Some(keys) = keys(reader, resolver.rules.algorithm) {
        return resolver.complete(keys);
    }
    if SOURCES.iter().any(|variable| reader.is_set(*variable)) {
        return resolver;
    }
    if let Some(keys) = resolver.keys.clone() {
        return resolver.complete(keys);
    }
    reader.problem(Problem::new(
        JWT_SECRET.name,
        "is not set, and tokens are checked with nothing else",
        format!(
            "set it to the issuer's secret, {} to its public key, or {} to its set of keys",
            JWT_PUBLIC_KEY.name, JWKS.name
        ),
    ));
    resolver
}

/// The key that the environment names, if it names one.
fn keys(reader: &mut Reader, algorithm: Option<JwtAlgorithm>) -> Option<JwtKeys> {
    let set = SOURCES.iter().filter(|variable| reader.is_set(**variable));
    let set: Vec<_> = set.copied().collect();
    if let [first, second, ..] = set[..] {
        reader.problem(Problem::new(
            first.name,
            format!("is set, and so is {}", second.name),
            "set the one that your issuer signs with",
        ));
        return None;
    }
    let variable = *set.first()?;
    let secret = reader.secret(variable)?;
    let text = secret.expose_secret();
    let keys = match variable {
        JWT_SECRET => {
            let algorithm = algorithm.unwrap_or(JwtAlgorithm::Hs256);
            JwtKeys::secret(&secret, algorithm)
        }
        JWT_PUBLIC_KEY => pem(text).and_then(|pem| JwtKeys::pem(&pem, algorithm)),
        _ if text.contains("://") => JwtKeys::url(text),
        _ => JwtKeys::file(text),
    };
    match keys {
        Ok(keys) => Some(keys),
        Err(wrong) => {
            reader.problem(Problem::new(
                variable.name,
                wrong.to_string(),
                remedy(variable),
            ));
            None
        }
    }
}

fn remedy(variable: Variable) -> &'static str {
    match variable {
        JWT_SECRET => {
            "make one with `openssl rand -hex 32` (-hex 64 is enough for HS512) and give it to \
             the issuer"
        }
        JWT_PUBLIC_KEY => {
            "set it to the issuer's public key, which begins with -----BEGIN PUBLIC KEY-----, \
             or to a file of it"
        }
        _ => "set it to a file, or to an http URL",
    }
}

/// The key itself, with `\n` for line ends where a file of variables has one
/// line for each, or the path of a file.
fn pem(text: &str) -> Result<String, InvalidKey> {
    if text.contains("-----BEGIN") {
        return Ok(text.replace("\\n", "\n"));
    }
    std::fs::read_to_string(text)
        .map_err(|error| InvalidKey::new(format!("is a file that cannot be read: {error}")))
}
