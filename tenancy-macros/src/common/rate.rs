//! `rate_limit = "100/min"`, on a handler or a plan.

use syn::LitStr;

use super::{Choices, Errors};

/// How many requests of a tenant are let through in which time.
#[derive(Clone, Copy)]
pub(crate) struct RateLimit {
    pub(crate) requests: u32,
    /// The variant of `Per`.
    pub(crate) per: &'static str,
}

/// The times that a limit may be about, with the variants of `Per`. The runtime
/// reads the same words where limits are not written in an attribute.
const TIMES: Choices<&str> = Choices {
    what: "time of a limit",
    all: &[
        ("s", "Second"),
        ("sec", "Second"),
        ("min", "Minute"),
        ("h", "Hour"),
        ("hour", "Hour"),
        ("d", "Day"),
        ("day", "Day"),
    ],
};

/// The limit that a literal says.
pub(crate) fn read(literal: &LitStr, errors: &mut Errors) -> Option<RateLimit> {
    let text = literal.value();
    let Some((requests, time)) = text.split_once('/') else {
        errors.at(
            literal,
            "a limit says how many requests in which time: write for example \"100/min\"",
        );
        return None;
    };
    let per = TIMES.pick(time, literal, errors);
    // `parse` takes a sign as well.
    let digits = requests.bytes().all(|byte| byte.is_ascii_digit());
    match requests.parse() {
        Ok(requests @ 1..) if digits => Some(RateLimit {
            requests,
            per: per?,
        }),
        _ => {
            errors.at(
                literal,
                format_args!(
                    "`{requests}` is no number of requests: write a whole number from 1 to {}, \
                     as \"100/min\"",
                    u32::MAX
                ),
            );
            None
        }
    }
}
