//! How often tenants may come, and where that is counted.

use secrecy::{ExposeSecret as _, SecretString};

use super::read::Reader;
use super::variables::{
    ENABLE_RATE_LIMITING, RATE_LIMIT_PER_MINUTE, RATE_LIMIT_WITHOUT_REDIS, REDIS_URL,
};
use crate::limit::WithoutRedis;
use crate::plan::{Per, RateLimit};
use crate::problem::Problem;
use crate::tls;

/// What a deployment says of limits.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RateLimits {
    /// For all requests of a tenant together, unless its plan says otherwise.
    pub every_tenant: Option<RateLimit>,
    /// Where all processes count; `None` has each count for itself.
    pub redis_url: Option<SecretString>,
    /// What happens while that Redis is away.
    pub without_redis: Option<WithoutRedis>,
}

pub(super) fn read(reader: &mut Reader) -> RateLimits {
    let enabled = reader.switch(ENABLE_RATE_LIMITING, false);
    let per_minute = reader.count(RATE_LIMIT_PER_MINUTE, 1..=1_000_000_000, 100);
    let redis_url = redis_url(reader);
    let choice = |text: &str| match text {
        "allow" => Some(WithoutRedis::Allow),
        "refuse" => Some(WithoutRedis::Refuse),
        _ => None,
    };
    let without_redis = reader.parsed(
        RATE_LIMIT_WITHOUT_REDIS,
        "allow or refuse",
        "refuse",
        choice,
    );
    // What is set and does nothing was meant otherwise. To switch limits off for
    // a while is no slip.
    for (set, needed) in [
        (RATE_LIMIT_PER_MINUTE, ENABLE_RATE_LIMITING),
        (RATE_LIMIT_WITHOUT_REDIS, REDIS_URL),
    ] {
        if reader.is_set(set) && !reader.is_set(needed) {
            reader.problem(Problem::new(
                set.name,
                format!("is set, but {} is not", needed.name),
                format!("set {} as well, or unset it", needed.name),
            ));
        }
    }
    if enabled && reader.is_set(REDIS_URL) && !reader.is_set(RATE_LIMIT_WITHOUT_REDIS) {
        reader.problem(no_choice());
    }
    RateLimits {
        every_tenant: enabled.then(|| RateLimit::new(per_minute, Per::Minute)),
        redis_url,
        without_redis,
    }
}

/// Neither is a default that everybody would want.
pub(crate) fn no_choice() -> Problem {
    Problem::new(
        RATE_LIMIT_WITHOUT_REDIS.name,
        "is not set, and requests are counted in Redis",
        "choose what happens while Redis is away: `refuse` answers 503, `allow` lets requests \
         through without a limit",
    )
}

/// The URL, which may hold a password and so is never shown.
fn redis_url(reader: &mut Reader) -> Option<SecretString> {
    let url = reader.secret(REDIS_URL)?;
    let (wrong, instead) = match url.expose_secret().split_once("://") {
        Some(("redis" | "valkey" | "unix" | "redis+unix" | "valkey+unix", _)) => return Some(url),
        Some(("rediss" | "valkeys", _)) if !tls::BUILT_IN => (
            "asks for TLS, which is not in this build",
            "switch on the feature `tls` of `tenancy`, or use redis:// over a private network or \
             a tunnel that encrypts",
        ),
        // The client's word for taking any certificate.
        Some(("rediss" | "valkeys", rest)) if rest.contains('#') => (
            "ends with `#insecure` or the like, and a connection that is encrypted to anybody \
             protects from nobody",
            "remove that, and name your own authority in SSL_CERT_FILE if the server's \
             certificate is by one (a `#` in a password is written %23)",
        ),
        Some(("rediss" | "valkeys", _)) => return Some(url),
        _ => (
            "is no URL of Redis",
            "write it as redis://user:password@host:6379/0, or with rediss:// for TLS",
        ),
    };
    reader.problem(Problem::new(REDIS_URL.name, wrong, instead));
    None
}
