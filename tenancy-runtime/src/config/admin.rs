//! Who administers tenants, as far as a deployment says it.

use secrecy::{ExposeSecret as _, SecretString};

use super::read::Reader;
use super::variables::ADMIN_TOKEN;
use crate::problem::Problem;

/// The fewest characters of a token: of `openssl rand -hex 16`, that is 128 bits.
const SHORTEST: usize = 32;

/// The token of operators, which is never shown.
pub(super) fn token(reader: &mut Reader) -> Option<SecretString> {
    let token = reader.secret(ADMIN_TOKEN)?;
    let Some((wrong, remedy)) = weakness_of(token.expose_secret()) else {
        return Some(token);
    };
    reader.problem(Problem::new(ADMIN_TOKEN.name, wrong, remedy));
    None
}

/// What is wrong with a token, wherever it comes from, and what to do about it.
pub(crate) fn weakness_of(token: &str) -> Option<(String, String)> {
    let wrong = if token.len() < SHORTEST {
        format!(
            "has {} characters, and can be guessed",
            token.chars().count()
        )
    } else if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        "has spaces or characters in it that no header carries".to_owned()
    } else {
        return None;
    };
    let remedy = format!(
        "give it {SHORTEST} random characters or more, for example those of \
         `openssl rand -hex 32`"
    );
    Some((wrong, remedy))
}
