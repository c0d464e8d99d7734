//! What a client is told of its limits: `RateLimit-Policy` and `RateLimit`, as
//! in [draft-ietf-httpapi-ratelimit-headers-10]. Both are lists of strings with
//! parameters (RFC 9651); the names of policies here need no escaping.
//!
//! [draft-ietf-httpapi-ratelimit-headers-10]: https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-10

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::plan::RateLimit;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// How a tenant stands to one limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// The policy's name: `tenant` for all requests, `route` for those to one.
    pub(super) policy: &'static str,
    pub(super) limit: RateLimit,
    pub(super) remaining: u32,
    /// When there is more again.
    pub(super) more_after: Duration,
}

impl Standing {
    /// In whole seconds, and not too early.
    pub(super) fn seconds(&self) -> u64 {
        let whole = self.more_after.as_secs();
        (whole + u64::from(self.more_after.subsec_nanos() > 0)).max(1)
    }
}

/// Adds the fields. A handler's own stay: several make one list.
pub(super) fn add(standings: &[Standing], headers: &mut HeaderMap) {
    for standing in standings {
        let Standing {
            policy,
            limit,
            remaining,
            ..
        } = standing;
        let (quota, window) = (limit.requests(), limit.per().seconds());
        let seconds = standing.seconds();
        for (name, value) in [
            (POLICY, format!("\"{policy}\";q={quota};w={window}")),
            (LIMIT, format!("\"{policy}\";r={remaining};t={seconds}")),
        ] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.append(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Per;

    #[test]
    fn the_fields_are_lists_of_strings_with_parameters() {
        let standing = |policy, limit, remaining, millis| Standing {
            policy,
            limit,
            remaining,
            more_after: Duration::from_millis(millis),
        };
        let mut headers = HeaderMap::new();
        let all = [
            standing("tenant", RateLimit::new(100, Per::Minute), 99, 60_001),
            standing("route", RateLimit::new(5, Per::Second), 0, 0),
        ];
        add(&all, &mut headers);
        let values = |name| {
            let values = headers.get_all(name).iter();
            values
                .map(|value| value.to_str().unwrap())
                .collect::<Vec<_>>()
        };
        let policies = ["\"tenant\";q=100;w=60", "\"route\";q=5;w=1"];
        assert_eq!(values("ratelimit-policy"), policies);
        let limits = ["\"tenant\";r=99;t=61", "\"route\";r=0;t=1"];
        assert_eq!(values("ratelimit"), limits);
    }
}
