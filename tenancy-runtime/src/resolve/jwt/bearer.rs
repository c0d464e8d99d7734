//! The `Authorization` header of a request, as far as it holds a token.

use axum::http::{HeaderMap, header};

use crate::http::once;

/// The longest token that is looked at. Proxies cut headers off at about as much,
/// and what is longer costs us only work.
const LONGEST: usize = 8 * 1024;

/// There is an `Authorization`, and it is not one bearer token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The token, or `None` where the request has no `Authorization` at all.
///
/// The header must be there once: of two, a proxy in front may have checked the
/// one and we would read the other. The scheme is written in any case of letters
/// ([RFC 9110, section 11.1]), and the token is a `b64token` ([RFC 6750, section
/// 2.1]).
///
/// [RFC 9110, section 11.1]: https://www.rfc-editor.org/rfc/rfc9110#section-11.1
/// [RFC 6750, section 2.1]: https://www.rfc-editor.org/rfc/rfc6750#section-2.1
pub(super) fn token(headers: &HeaderMap) -> Result<Option<&str>, Malformed> {
    let value = once(headers, &header::AUTHORIZATION).map_err(|_| Malformed)?;
    value.map(|value| parse(value.as_bytes())).transpose()
}

fn parse(value: &[u8]) -> Result<&str, Malformed> {
    let value = std::str::from_utf8(value).map_err(|_| Malformed)?;
    let (scheme, token) = value.split_once(' ').ok_or(Malformed)?;
    let token = token.trim_start_matches(' ');
    let body = token.trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    let is_token = !body.is_empty() && body.bytes().all(allowed) && token.len() <= LONGEST;
    (scheme.eq_ignore_ascii_case("bearer") && is_token)
        .then_some(token)
        .ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_bearer_token_and_nothing_else() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c"] {
            assert_eq!(parse(value.as_bytes()), Ok("a.b.c"), "{value}");
        }
        let longest = format!("Bearer {}", "a".repeat(LONGEST));
        assert!(parse(longest.as_bytes()).is_ok());
        let endless = format!("{longest}a");
        for value in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer\ta.b.c",
            "Bearer a.b.c d",
            "Bearer a.b.c,",
            "Bearer token=\"a.b.c\"",
            "Bearer =",
            "Bearer a=b",
            "Basic YTpi",
            "Bearera.b.c",
            " Bearer a.b.c",
            "Bearer ä.b.c",
            &endless,
        ] {
            assert_eq!(parse(value.as_bytes()), Err(Malformed), "{value}");
        }
    }

    proptest! {
        /// Whatever is sent: no panic, and what is accepted is what stood there.
        #[test]
        fn any_bytes_are_a_token_or_malformed(
            values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..3),
            prefix in "(Bearer |bearer  ||Basic )",
        ) {
            let mut headers = HeaderMap::new();
            let mut sent = Vec::new();
            for value in values {
                let value = [prefix.as_bytes(), &value].concat();
                if let Ok(value) = HeaderValue::from_bytes(&value) {
                    sent.push(value.clone());
                    headers.append(header::AUTHORIZATION, value);
                }
            }
            match token(&headers) {
                Ok(None) => prop_assert!(sent.is_empty()),
                Ok(Some(token)) => {
                    prop_assert_eq!(sent.len(), 1);
                    prop_assert!(sent[0].as_bytes().ends_with(token.as_bytes()));
                    prop_assert!(token.is_ascii() && !token.contains([' ', ',', '"']));
                }
                Err(Malformed) => prop_assert!(!sent.is_empty()),
            }
        }
    }
}
