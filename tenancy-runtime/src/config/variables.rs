/// A variable of the environment that an application reads at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Variable {
    /// The full name, `TENANCY_…`.
    pub name: &'static str,
    /// What holds when it is not set, in words.
    pub default: &'static str,
    /// What it says and which values it takes, in one sentence.
    pub what: &'static str,
    /// The way of resolving tenants that it is about, as
    /// `TENANCY_RESOLUTION_STRATEGY` names it; `None` where it is about no one way.
    pub way: Option<&'static str>,
}

impl Variable {
    const fn about(mut self, way: &'static str) -> Self {
        self.way = Some(way);
        self
    }
}

const fn variable(name: &'static str, default: &'static str, what: &'static str) -> Variable {
    Variable {
        name,
        default,
        what,
        way: None,
    }
}

pub(super) const PREFIX: &str = "TENANCY_";

/// What the test tooling reads; none of the application's business.
const IGNORED: &str = "TENANCY_TEST_";

/// How alike two names are before one is offered for the other. Slips and cut
/// ends score 0.9 and more; `POOL_MAX` and `POOL_TIMEOUT` 0.85.
const ALIKE: f64 = 0.88;

pub(super) const DATABASE_URL: Variable = variable(
    "TENANCY_DATABASE_URL",
    "none",
    "The application role's login, as postgres://user:password@host:5432/database.",
);
pub(super) const OWNER_DATABASE_URL: Variable = variable(
    "TENANCY_OWNER_DATABASE_URL",
    "none",
    "The owner's login to the same database, for migrations and provisioning.",
);
pub(super) const SYSTEM_DATABASE_URL: Variable = variable(
    "TENANCY_SYSTEM_DATABASE_URL",
    "none",
    "The system role's login to the same database, for audited work across tenants.",
);
pub(super) const DATABASE_URL_TEMPLATE: Variable = variable(
    "TENANCY_DATABASE_URL_TEMPLATE",
    "from the attribute, or TENANCY_DATABASE_URL with another name",
    "The application role's login to tenants' own databases, as \
     postgres://user:password@host:5432/{database_name}.",
);
pub(super) const OWNER_DATABASE_URL_TEMPLATE: Variable = variable(
    "TENANCY_OWNER_DATABASE_URL_TEMPLATE",
    "TENANCY_OWNER_DATABASE_URL with another name",
    "The owner's login to tenants' own databases, in the same form.",
);
pub(super) const LISTEN: Variable = variable(
    "TENANCY_LISTEN",
    "127.0.0.1:8000",
    "The address and port to serve on.",
);
pub(super) const ISOLATION_STRATEGY: Variable = variable(
    "TENANCY_ISOLATION_STRATEGY",
    "from the attribute",
    "How new tenants are kept apart: rls, schema, database, or hybrid where the attribute declares \
     its tiers.",
);
pub(super) const RESOLUTION_STRATEGY: Variable = variable(
    "TENANCY_RESOLUTION_STRATEGY",
    "from the attribute, or header",
    "Where a request names its tenant: header, subdomain, path, jwt or custom; or several with \
     commas between them, which must agree.",
);
pub(super) const TENANT_HEADER_NAME: Variable = variable(
    "TENANCY_TENANT_HEADER_NAME",
    "from the attribute, or X-Tenant-ID",
    "The header that names the tenant.",
)
.about("header");
pub(super) const DOMAIN_SUFFIX: Variable = variable(
    "TENANCY_DOMAIN_SUFFIX",
    "from the attribute",
    "The domain below which each tenant has a host, as .myapp.com.",
)
.about("subdomain");
pub(super) const PATH_PREFIX: Variable = variable(
    "TENANCY_PATH_PREFIX",
    "from the attribute, or /t",
    "What stands before the tenant in a path.",
)
.about("path");
pub(super) const JWT_SECRET: Variable = variable(
    "TENANCY_JWT_SECRET",
    "none",
    "The secret that tokens are signed with, of 32 bytes or more for HS256, 48 for HS384, 64 for \
     HS512.",
)
.about("jwt");
pub(super) const JWT_PUBLIC_KEY: Variable = variable(
    "TENANCY_JWT_PUBLIC_KEY",
    "none",
    "The public key of who signs tokens, in PEM, or a file of it: RSA of 2048 bits or more, P-256, \
     P-384 or Ed25519.",
)
.about("jwt");
pub(super) const JWKS: Variable = variable(
    "TENANCY_JWKS",
    "none",
    "The public keys of who signs tokens, as a JSON Web Key Set: a file, an https URL, or an \
     http URL on a network of your own.",
)
.about("jwt");
pub(super) const JWT_ALGORITHM: Variable = variable(
    "TENANCY_JWT_ALGORITHM",
    "from the attribute, or by the key: HS256 for a secret, RS256 for RSA",
    "How tokens are signed: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, \
     ES384 or EdDSA.",
)
.about("jwt");
pub(super) const JWT_TENANT_CLAIM: Variable = variable(
    "TENANCY_JWT_TENANT_CLAIM",
    "from the attribute, or tenant_id",
    "The claim that names the tenant, by its name, or with a / at the beginning by the way to it \
     within others: /app_metadata/tenant.",
)
.about("jwt");
pub(super) const JWT_AUDIENCE: Variable = variable(
    "TENANCY_JWT_AUDIENCE",
    "from the attribute",
    "Who tokens are for, their aud: a name, or any.",
)
.about("jwt");
pub(super) const JWT_ISSUER: Variable = variable(
    "TENANCY_JWT_ISSUER",
    "from the attribute",
    "Who makes tokens, their iss: a name, or any.",
)
.about("jwt");
pub(super) const TRUSTED_PROXIES: Variable = variable(
    "TENANCY_TRUSTED_PROXIES",
    "none",
    "The proxies whose Forwarded and X-Forwarded headers are believed: addresses and networks with \
     commas between them. They must overwrite what clients send in them.",
);
pub(super) const POOL_SIZE: Variable = variable(
    "TENANCY_POOL_SIZE",
    "10",
    "The most connections to the database, 1 to 1000.",
);
pub(super) const DATABASE_POOL_SIZE: Variable = variable(
    "TENANCY_DATABASE_POOL_SIZE",
    "4",
    "The most connections to one tenant's own database, 1 to 1000.",
);
pub(super) const MAX_CONNECTIONS: Variable = variable(
    "TENANCY_MAX_CONNECTIONS",
    "50",
    "The most connections of the application to all tenants' own databases together, 1 to 10000; \
     the owner has a few more there while it makes, migrates or drops one.",
);
pub(super) const POOL_IDLE_TIMEOUT: Variable = variable(
    "TENANCY_POOL_IDLE_TIMEOUT",
    "300",
    "Seconds after which an unused connection to a tenant's own database is closed.",
);
pub(super) const POOL_TIMEOUT: Variable = variable(
    "TENANCY_POOL_TIMEOUT",
    "5",
    "Seconds a request waits for a connection; fractions are allowed.",
);
pub(super) const PREPARED_STATEMENTS: Variable = variable(
    "TENANCY_PREPARED_STATEMENTS",
    "true",
    "Whether sessions keep what is prepared and set on them: true, or false behind any pooler \
     in transaction mode.",
);
pub(super) const CACHE_ENABLED: Variable = variable(
    "TENANCY_CACHE_ENABLED",
    "true",
    "Whether tenants are looked up in memory first: true or false.",
);
pub(super) const CACHE_SIZE: Variable = variable(
    "TENANCY_CACHE_SIZE",
    "10000",
    "The most tenants that are remembered, 1 to 1000000.",
);
pub(super) const CACHE_OUTAGE_LIMIT: Variable = variable(
    "TENANCY_CACHE_OUTAGE_LIMIT",
    "30",
    "Seconds for which active tenants are served from memory when the registry cannot be reached; \
     0 serves none.",
);
pub(super) const CACHE_SECOND_LEVEL: Variable = variable(
    "TENANCY_CACHE_SECOND_LEVEL",
    "false",
    "Whether processes share in Redis, for half a second, which tenants they have looked up: for \
     fleets of many. That Redis is then to be guarded like the registry.",
);
pub(super) const MAX_TENANTS: Variable = variable(
    "TENANCY_MAX_TENANTS",
    "no limit",
    "The most tenants that may be registered, deleted ones included; a whole number from 1.",
);
pub(super) const STANDBY: Variable = variable(
    "TENANCY_STANDBY",
    "0",
    "How many schemas or databases of each kind are made ahead for new tenants, 0 to 100; with 0 \
     those that are left are dropped.",
);
pub(super) const SHUTDOWN_TIMEOUT: Variable = variable(
    "TENANCY_SHUTDOWN_TIMEOUT",
    "30",
    "Seconds that requests and jobs in flight get to finish at shutdown; 0 does not wait.",
);
pub(super) const JOBS: Variable = variable(
    "TENANCY_JOBS",
    "half of TENANCY_POOL_SIZE, 1 at least",
    "How many jobs of tenants run at a time, 1 to 1000; one tenant has at most half of the \
     places, rounded up.",
);
pub(super) const JOBS_WAITING: Variable = variable(
    "TENANCY_JOBS_WAITING",
    "1000",
    "How many jobs wait for each tenant, 1 to 1000000; more are refused with 503.",
);
pub(super) const STREAMS_PER_TENANT: Variable = variable(
    "TENANCY_STREAMS_PER_TENANT",
    "1000",
    "How many WebSockets and streams of events each tenant may have open in one process, 1 to \
     1000000; more are refused with 503.",
);
pub(super) const EMBEDDED: Variable = variable(
    "TENANCY_EMBEDDED",
    "from the attribute, or ./.tenancy/NAME",
    "Where the embedded database lives without TENANCY_DATABASE_URL: a folder, or temporary.",
);

pub(super) const ENABLE_RATE_LIMITING: Variable = variable(
    "TENANCY_ENABLE_RATE_LIMITING",
    "false",
    "Whether all requests of a tenant together have a limit: true or false; those that handlers \
     declare hold in any case.",
);
pub(super) const RATE_LIMIT_PER_MINUTE: Variable = variable(
    "TENANCY_RATE_LIMIT_PER_MINUTE",
    "100",
    "The most requests of one tenant in a minute, unless its plan says otherwise.",
);
pub(super) const REDIS_URL: Variable = variable(
    "TENANCY_REDIS_URL",
    "none, and each process counts for itself",
    "The Redis in which all processes count requests and by which they tell each other of \
     events and of changed tenants, as redis://user:password@host:6379/0, or with rediss:// for \
     TLS (feature tls).",
);
pub(super) const RATE_LIMIT_WITHOUT_REDIS: Variable = variable(
    "TENANCY_RATE_LIMIT_WITHOUT_REDIS",
    "none, and needed where limits are counted in Redis",
    "What happens to requests with a limit while Redis is away: allow, or refuse with 503.",
);

pub(super) const ENCRYPTION_KEY: Variable = variable(
    "TENANCY_ENCRYPTION_KEY",
    "none, and tenants keep no secrets",
    "The keys that tenants' secrets are encrypted with, as id:key with commas between them: the \
     first encrypts, all of them decrypt.",
);

pub(super) const ADMIN_TOKEN: Variable = variable(
    "TENANCY_ADMIN_TOKEN",
    "none, and needed for admin = \"token\"",
    "The bearer token of operators, of 32 characters or more without spaces.",
);
pub(super) const ADMIN_OPEN: Variable = variable(
    "TENANCY_ADMIN_OPEN",
    "false",
    "Whether admin = \"open\" may listen on addresses that other machines reach, and be behind a \
     proxy: true where only those who may administer all tenants get to the port.",
);

/// Every variable, in the order in which people meet them. What is not here is
/// refused as unknown.
static VARIABLES: [Variable; 43] = [
    DATABASE_URL,
    OWNER_DATABASE_URL,
    SYSTEM_DATABASE_URL,
    DATABASE_URL_TEMPLATE,
    OWNER_DATABASE_URL_TEMPLATE,
    LISTEN,
    ISOLATION_STRATEGY,
    RESOLUTION_STRATEGY,
    TENANT_HEADER_NAME,
    DOMAIN_SUFFIX,
    PATH_PREFIX,
    JWT_SECRET,
    JWT_PUBLIC_KEY,
    JWKS,
    JWT_ALGORITHM,
    JWT_TENANT_CLAIM,
    JWT_AUDIENCE,
    JWT_ISSUER,
    TRUSTED_PROXIES,
    CACHE_ENABLED,
    CACHE_SIZE,
    CACHE_OUTAGE_LIMIT,
    CACHE_SECOND_LEVEL,
    MAX_TENANTS,
    STANDBY,
    POOL_SIZE,
    DATABASE_POOL_SIZE,
    MAX_CONNECTIONS,
    POOL_IDLE_TIMEOUT,
    POOL_TIMEOUT,
    PREPARED_STATEMENTS,
    SHUTDOWN_TIMEOUT,
    JOBS,
    JOBS_WAITING,
    STREAMS_PER_TENANT,
    EMBEDDED,
    ENABLE_RATE_LIMITING,
    RATE_LIMIT_PER_MINUTE,
    REDIS_URL,
    RATE_LIMIT_WITHOUT_REDIS,
    ENCRYPTION_KEY,
    ADMIN_TOKEN,
    ADMIN_OPEN,
];

/// Every variable that an application reads, for `--help` and the docs.
#[must_use]
pub fn variables() -> &'static [Variable] {
    &VARIABLES
}

/// Whether `name` claims to be ours. In any case of letters: elsewhere than on
/// Windows `tenancy_listen` is another name, read by nobody, and surely a slip.
pub(super) fn is_ours(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    upper.starts_with(PREFIX) && !upper.starts_with(IGNORED)
}

pub(super) fn is_known(name: &str) -> bool {
    VARIABLES.iter().any(|variable| variable.name == name)
}

/// The known name that `name` was probably meant to be.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    // The prefix is common to all and would make everything look alike.
    let upper = name.to_ascii_uppercase();
    let rest = upper.strip_prefix(PREFIX)?;
    VARIABLES
        .iter()
        .map(|variable| {
            let known = variable.name.trim_start_matches(PREFIX);
            (strsim::jaro_winkler(rest, known), variable.name)
        })
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_a_stranger_finds_none() {
        for (slip, meant) in [
            ("TENANCY_DATABSE_URL", Some("TENANCY_DATABASE_URL")),
            ("TENANCY_POOLSIZE", Some("TENANCY_POOL_SIZE")),
            ("tenancy_listen", Some("TENANCY_LISTEN")),
            ("TENANCY_TENANT_HEADER", Some("TENANCY_TENANT_HEADER_NAME")),
            ("TENANCY_ISOLATION", Some("TENANCY_ISOLATION_STRATEGY")),
            ("TENANCY_POOL_MAX", None),
            ("TENANCY_COLOUR", None),
            ("TENANCY_REDISURL", Some("TENANCY_REDIS_URL")),
        ] {
            assert_eq!(nearest(slip), meant, "{slip}");
        }
    }

    #[test]
    fn the_table_is_fit_to_print() {
        for variable in variables() {
            assert!(is_ours(variable.name) && is_known(variable.name));
            assert!(variable.what.ends_with('.') && !variable.default.is_empty());
        }
        assert!(!is_ours("TENANCY_TEST_DATABASE_URL"));
        assert!(!is_ours("TENANCYLISTEN"));
    }
}
