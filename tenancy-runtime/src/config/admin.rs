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
    let text = token.expose_secret();
    let wrong = if text.len() < SHORTEST {
        format!(
            "has {} characters, and can be guessed",
            text.chars().count()
        )
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        "has spaces or characters in it that no header carries".to_owned()
    } else {
        return Some(token);
    };
    reader.problem(Problem::new(
        ADMIN_TOKEN.name,
        wrong,
        format!(
            "give it {SHORTEST} random characters or more, for example those of \
             `openssl rand -hex 32`"
        ),
    ));
    None
}
