//! The tokens that `saas-starter` takes and `generate_token` makes.

/// Who tokens are for.
pub const AUDIENCE: &str = "saas-starter";

/// Who makes them: here `generate_token`, in production your login service.
pub const ISSUER: &str = "saas-starter";

/// What signs them where `TENANCY_JWT_SECRET` is not set. Everybody can read it
/// here, so only a debug build takes it; a release does not start without a secret
/// of its own.
pub const DEVELOPMENT_SECRET: Option<&str> = if cfg!(debug_assertions) {
    Some("a development secret of 32 bytes or more")
} else {
    None
};
