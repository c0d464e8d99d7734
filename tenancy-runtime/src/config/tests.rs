use std::path::Path;

use secrecy::ExposeSecret;

use super::*;
use crate::isolation::Strategy;
use crate::resolve::{HeaderResolver, PathResolver, SubdomainResolver};

const APP: &str = "postgres://app:hunter2@localhost/app";
const OWNER: &str = "postgres://owner:hunter2@localhost/app";
const SYSTEM: &str = "postgres://system:hunter2@localhost/app";
const ADMIN: &str = "hunter2-0123456789-0123456789-0123";

fn read(defaults: Defaults, vars: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let vars = vars.iter().map(|&(n, v)| (n.to_owned(), v.to_owned()));
    Config::from_vars(defaults, vars)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn rls() -> Defaults {
    Defaults {
        isolation: Some(Isolation::single(Strategy::Rls)),
        ..Defaults::default()
    }
}

/// The one problem that `vars` make.
fn problem(defaults: Defaults, vars: &[(&str, &str)]) -> String {
    let problems = read(defaults, vars).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.concat()
}

#[test]
fn nothing_set_gives_the_defaults() {
    let config = read(rls(), &[("PATH", "/bin"), ("TENANCY_TEST_PG", "x")]).unwrap();
    assert!(config.database_url.is_none() && config.owner_database_url.is_none());
    assert!(config.system_database_url.is_none());
    assert_eq!(config.listen.to_string(), "127.0.0.1:8000");
    assert_eq!(config.isolation, Some(Isolation::single(Strategy::Rls)));
    let Resolution::Header(header) = &config.resolution[0] else {
        panic!("{:?}", config.resolution);
    };
    assert_eq!(header.header(), "x-tenant-id");
    assert_eq!(config.trusted_proxies, TrustedProxies::default());
    assert_eq!(config.pool_size, 10);
    assert_eq!(config.pool_timeout, Duration::from_secs(5));
    assert!(config.prepared_statements);
    assert_eq!(config.shutdown_timeout, Duration::from_secs(30));
    assert_eq!((config.jobs, config.jobs_waiting), (5, 1000));
    assert_eq!(config.streams_per_tenant, 1000);
    assert_eq!(config.embedded, Embedded::Folder("./.tenancy".into()));
}

#[test]
fn every_variable_of_the_table_is_read() {
    let vars = [
        ("TENANCY_DATABASE_URL", APP),
        ("TENANCY_OWNER_DATABASE_URL", OWNER),
        ("TENANCY_SYSTEM_DATABASE_URL", SYSTEM),
        (
            "TENANCY_DATABASE_URL_TEMPLATE",
            "postgres://app:s@db2/{database_name}",
        ),
        (
            "TENANCY_OWNER_DATABASE_URL_TEMPLATE",
            "postgres://owner:s@db2/{database_name}",
        ),
        ("TENANCY_LISTEN", "[::]:80"),
        ("TENANCY_ISOLATION_STRATEGY", "schema"),
        ("TENANCY_RESOLUTION_STRATEGY", "header, subdomain,path"),
        ("TENANCY_TENANT_HEADER_NAME", "X-Org"),
        ("TENANCY_DOMAIN_SUFFIX", ".myapp.com"),
        ("TENANCY_PATH_PREFIX", "/tenants"),
        ("TENANCY_TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("TENANCY_CACHE_ENABLED", "false"),
        ("TENANCY_CACHE_SIZE", "500"),
        ("TENANCY_CACHE_OUTAGE_LIMIT", "0"),
        ("TENANCY_CACHE_SECOND_LEVEL", "true"),
        ("TENANCY_MAX_TENANTS", "12"),
        ("TENANCY_STANDBY", "3"),
        ("TENANCY_POOL_SIZE", "1000"),
        ("TENANCY_DATABASE_POOL_SIZE", "2"),
        ("TENANCY_MAX_CONNECTIONS", "20"),
        ("TENANCY_POOL_IDLE_TIMEOUT", "1.5"),
        ("TENANCY_POOL_TIMEOUT", "0.25"),
        ("TENANCY_PREPARED_STATEMENTS", "False"),
        ("TENANCY_SHUTDOWN_TIMEOUT", " 0 "),
        ("TENANCY_JOBS", "7"),
        ("TENANCY_JOBS_WAITING", "50"),
        ("TENANCY_STREAMS_PER_TENANT", "60"),
        ("TENANCY_EMBEDDED", "temporary"),
        ("TENANCY_ENABLE_RATE_LIMITING", "TRUE"),
        ("TENANCY_RATE_LIMIT_PER_MINUTE", "600"),
        ("TENANCY_REDIS_URL", "redis://:s@cache/0"),
        ("TENANCY_RATE_LIMIT_WITHOUT_REDIS", "allow"),
        ("TENANCY_ADMIN_TOKEN", ADMIN),
        ("TENANCY_ADMIN_OPEN", "true"),
    ];
    // Those of tokens exclude each other; they are read where tokens are proved. Keys
    // are not read in every build.
    let others = variables().iter().filter(|v| v.way != Some("jwt"));
    let names = others.map(|variable| variable.name);
    let names: Vec<_> = names
        .filter(|name| *name != "TENANCY_ENCRYPTION_KEY")
        .collect();
    assert_eq!(names, vars.map(|(name, _)| name));

    let config = read(rls(), &vars).unwrap();
    let exposed = |url: Option<SecretString>| url.unwrap().expose_secret().to_owned();
    assert_eq!(exposed(config.database_url), APP);
    assert_eq!(exposed(config.owner_database_url), OWNER);
    assert_eq!(exposed(config.system_database_url), SYSTEM);
    assert_eq!(exposed(config.admin_token), ADMIN);
    assert!(config.admin_open);
    assert_eq!(exposed(config.rate_limits.redis_url), "redis://:s@cache/0");
    assert_eq!(config.listen.to_string(), "[::]:80");
    assert_eq!(config.isolation, Some(Isolation::single(Strategy::Schema)));
    let [
        Resolution::Header(header),
        Resolution::Subdomain(subdomain),
        Resolution::Path(path),
    ] = &*config.resolution
    else {
        panic!("{:?}", config.resolution);
    };
    assert_eq!(header.header(), "x-org");
    assert_eq!(subdomain.domain().as_str(), "myapp.com");
    assert_eq!(path.prefix(), "/tenants");
    assert!(config.trusted_proxies.contains("10.1.1.1".parse().unwrap()));
    let logins = config.tenant_databases.unwrap();
    assert!(logins.owner.is_some());
    let place = logins.app.place_for(crate::tenant::TenantId::generate());
    assert!(format!("{place:?}").contains("db2"), "{place:?}");
    assert!(!config.cache_enabled);
    assert_eq!(
        (config.cache_size, config.cache_outage_limit),
        (500, Duration::ZERO)
    );
    assert!(config.cache_second_level);
    assert_eq!(config.max_tenants, Some(12));
    assert_eq!(config.pool_size, 1000);
    assert_eq!((config.database_pool_size, config.max_connections), (2, 20));
    assert_eq!(config.pool_idle_timeout, Duration::from_millis(1500));
    assert_eq!(config.pool_timeout, Duration::from_millis(250));
    assert!(!config.prepared_statements);
    assert_eq!(config.shutdown_timeout, Duration::ZERO);
    assert_eq!((config.jobs, config.jobs_waiting), (7, 50));
    assert_eq!(config.streams_per_tenant, 60);
    assert_eq!(config.embedded, Embedded::Temporary);
}

#[test]
fn every_problem_is_reported_at_once_and_by_name() {
    let wrong = [
        ("TENANCY_DATABASE_URL", "localhost"),
        ("TENANCY_EMBEDDED", ""),
        ("TENANCY_ENABLE_RATE_LIMITING", "perhaps"),
        ("TENANCY_ISOLATION_STRATEGY", "row"),
        ("TENANCY_LISTEN", "localhost:8000"),
        ("TENANCY_POOLSIZE", "3"),
        ("TENANCY_POOL_SIZE", "yes"),
        ("TENANCY_POOL_TIMEOUT", "0"),
        ("TENANCY_PREPARED_STATEMENTS", "maybe"),
        ("TENANCY_RATE_LIMIT_PER_MINUTE", "100/min"),
        ("TENANCY_RATE_LIMIT_WITHOUT_REDIS", "ignore"),
        ("TENANCY_REDIS_URL", "http://localhost"),
        ("TENANCY_RESOLUTION_STRATEGY", "header,dns"),
        ("TENANCY_SHUTDOWN_TIMEOUT", "-1"),
        ("TENANCY_TENANT_HEADER_NAME", "X Tenant"),
        ("TENANCY_TRUSTED_PROXIES", "everybody"),
    ];
    let problems = read(rls(), &wrong).unwrap_err();
    assert_eq!(problems.len(), wrong.len(), "{problems:#?}");
    for (name, _) in wrong {
        let about = format!("{name}: ");
        assert!(problems.iter().any(|p| p.starts_with(&about)), "{name}");
    }
}

#[test]
fn values_at_their_edges() {
    for (name, value) in [
        ("TENANCY_POOL_SIZE", "0"),
        ("TENANCY_POOL_SIZE", "1001"),
        ("TENANCY_POOL_SIZE", "5.5"),
        ("TENANCY_POOL_SIZE", "99999999999"),
        ("TENANCY_POOL_TIMEOUT", "nan"),
        ("TENANCY_POOL_TIMEOUT", "inf"),
        ("TENANCY_POOL_TIMEOUT", "1e-12"),
        ("TENANCY_POOL_TIMEOUT", "86401"),
        ("TENANCY_SHUTDOWN_TIMEOUT", "1e300"),
        ("TENANCY_LISTEN", ":8000"),
        ("TENANCY_RESOLUTION_STRATEGY", "Header"),
    ] {
        assert!(problem(rls(), &[(name, value)]).contains(name), "{value}");
    }
}

#[test]
fn an_unknown_name_comes_with_a_suggestion() {
    assert_eq!(
        problem(rls(), &[("TENANCY_DATABSE_URL", APP)]),
        "TENANCY_DATABSE_URL: is not known; did you mean TENANCY_DATABASE_URL?"
    );
    let stranger = problem(rls(), &[("TENANCY_COLOUR", "blue")]);
    assert!(
        stranger.contains("no variable is called that"),
        "{stranger}"
    );
}

#[test]
fn no_secret_is_shown() {
    let template = "postgres://app:hunter2@localhost/{database_name}";
    let vars = [
        ("TENANCY_DATABASE_URL", APP),
        ("TENANCY_OWNER_DATABASE_URL", OWNER),
        ("TENANCY_SYSTEM_DATABASE_URL", SYSTEM),
        ("TENANCY_DATABASE_URL_TEMPLATE", template),
        ("TENANCY_OWNER_DATABASE_URL_TEMPLATE", template),
        ("TENANCY_REDIS_URL", "redis://:hunter2@localhost/"),
        ("TENANCY_RATE_LIMIT_WITHOUT_REDIS", "allow"),
        // "hunter2" and more, in base64.
        #[cfg(feature = "encryption")]
        ("TENANCY_ENCRYPTION_KEY", KEY),
        #[cfg(feature = "jwt")]
        ("TENANCY_RESOLUTION_STRATEGY", "jwt"),
        #[cfg(feature = "jwt")]
        (
            "TENANCY_JWT_SECRET",
            "hunter2 and as many bytes more as are needed",
        ),
        #[cfg(feature = "jwt")]
        ("TENANCY_JWT_AUDIENCE", "any"),
        #[cfg(feature = "jwt")]
        ("TENANCY_JWT_ISSUER", "any"),
    ];
    let config = read(rls(), &vars).unwrap();
    let shown = format!("{config:?} {config:#?}");
    // As text, in base64, and byte by byte.
    for form in ["hunter2", "aHVudGVyMg", "104, 117, 110, 116"] {
        assert!(!shown.contains(form), "{shown}");
    }
    // The twin: what was read is in there.
    assert!(shown.contains("SecretBox"), "{shown}");

    let vars = [
        ("TENANCY_DATABASE_URL", "mysql://app:hunter2@localhost/app"),
        (
            "TENANCY_OWNER_DATABASE_URL",
            "postgres://o:hun@ter2?hunter2=1",
        ),
        ("TENANCY_DATABASE_URI", APP),
    ];
    let problems = read(rls(), &vars).unwrap_err();
    assert_eq!(problems.len(), 3, "{problems:#?}");
    assert!(!problems.concat().contains("hunter2"), "{problems:#?}");
}

#[test]
fn the_owner_never_serves() {
    let alone = problem(rls(), &[("TENANCY_OWNER_DATABASE_URL", OWNER)]);
    assert!(alone.contains("TENANCY_DATABASE_URL is not"), "{alone}");

    let other_host = "postgres://app:other@127.0.0.1:6432/app";
    let vars = [
        ("TENANCY_DATABASE_URL", APP),
        ("TENANCY_OWNER_DATABASE_URL", other_host),
    ];
    let same = problem(rls(), &vars);
    assert!(same.contains("both log in as `app`"), "{same}");
}

#[test]
fn the_system_s_login_is_a_third_one() {
    let alone = problem(rls(), &[("TENANCY_SYSTEM_DATABASE_URL", SYSTEM)]);
    assert!(alone.contains("TENANCY_DATABASE_URL is not"), "{alone}");

    let logins = [
        ("TENANCY_DATABASE_URL", APP),
        ("TENANCY_OWNER_DATABASE_URL", OWNER),
    ];
    for (name, taken) in logins {
        let vars = [logins[0], logins[1], ("TENANCY_SYSTEM_DATABASE_URL", taken)];
        let same = problem(rls(), &vars);
        let about = format!("{name} and TENANCY_SYSTEM_DATABASE_URL: both log in as");
        assert!(same.starts_with(&about), "{same}");
    }
}

#[test]
fn the_strategy_can_be_overridden_only_where_it_makes_sense() {
    let hybrid = Isolation::hybrid(Strategy::Schema, Strategy::Rls).premium_plans(["pro"]);
    let declared = || Defaults {
        isolation: Some(hybrid.clone()),
        ..Defaults::default()
    };
    let set = |value| [("TENANCY_ISOLATION_STRATEGY", value)];

    let kept = read(declared(), &set("hybrid")).unwrap().isolation;
    assert_eq!(kept, Some(hybrid.clone()));
    let single = read(declared(), &set("rls")).unwrap().isolation;
    assert_eq!(single, Some(Isolation::single(Strategy::Rls)));

    assert!(problem(rls(), &set("hybrid")).contains("who is premium"));
    assert!(problem(Defaults::default(), &set("rls")).contains("isolates no data"));
}

/// The words of the ways that are read.
fn ways(declared: Vec<Resolution>, vars: &[(&str, &str)]) -> String {
    let defaults = Defaults {
        resolution: declared,
        ..rls()
    };
    match read(defaults, vars) {
        Ok(config) => format!("{:?}", config.resolution),
        Err(problems) => problems.concat(),
    }
}

#[test]
fn the_deployment_chooses_among_the_ways_and_keeps_what_was_declared_of_them() {
    let strategy = |words| ("TENANCY_RESOLUTION_STRATEGY", words);
    let declared = || vec![SubdomainResolver::new(".myapp.com").into()];
    assert_eq!(ways(vec![], &[]), "[header]");
    assert_eq!(ways(declared(), &[]), "[subdomain]");
    assert_eq!(
        ways(declared(), &[strategy("header,subdomain")]),
        "[header, subdomain]"
    );
    assert_eq!(ways(declared(), &[strategy("path")]), "[path]");
    let own = || vec![Resolution::custom(HeaderResolver::new("X-Key"))];
    assert_eq!(ways(own(), &[strategy("custom, path")]), "[custom, path]");

    for (declared, vars, said) in [
        (
            vec![],
            [strategy("subdomain")],
            "TENANCY_DOMAIN_SUFFIX: is not set",
        ),
        (
            vec![],
            [strategy("custom")],
            "declares no resolver of its own",
        ),
        (vec![], [strategy("header,header")], "names `header` twice"),
        (vec![], [strategy("header,")], "`` is not header, subdomain"),
        (
            own(),
            [("TENANCY_PATH_PREFIX", "/t")],
            "are not resolved by path",
        ),
        (
            declared(),
            [("TENANCY_TENANT_HEADER_NAME", "X-A")],
            "are not resolved by header",
        ),
        (
            declared(),
            [("TENANCY_DOMAIN_SUFFIX", "my app")],
            "`my app` is not a domain",
        ),
        (
            vec![PathResolver::default().into()],
            [("TENANCY_PATH_PREFIX", "t/")],
            "`t/` is not",
        ),
    ] {
        let found = ways(declared, &vars);
        assert!(found.contains(said), "{vars:?}: {found}");
    }
}

#[test]
fn places_ahead_are_for_those_who_get_one() {
    let set = [("TENANCY_STANDBY", "2")];
    assert!(problem(rls(), &set).contains("no schema or database of their own"));
    let schema = Defaults {
        isolation: Some(Isolation::single(Strategy::Schema)),
        ..Defaults::default()
    };
    assert_eq!(read(schema, &set).unwrap().standby, 2);
}

#[test]
fn the_attribute_s_values_are_the_defaults() {
    let declared = || Defaults {
        resolution: vec![HeaderResolver::new("X-Customer").into()],
        embedded: Some(Embedded::Temporary),
        ..rls()
    };
    let config = read(declared(), &[]).unwrap();
    let Resolution::Header(header) = &config.resolution[0] else {
        panic!("{:?}", config.resolution);
    };
    assert_eq!(header.header(), "x-customer");
    assert_eq!(config.embedded, Embedded::Temporary);

    let config = read(declared(), &[("TENANCY_EMBEDDED", "/var/dev")]).unwrap();
    assert_eq!(
        config.embedded,
        Embedded::Folder(Path::new("/var/dev").into())
    );
}

#[test]
fn an_empty_url_does_not_fall_back_to_the_embedded_database() {
    let empty = problem(rls(), &[("TENANCY_DATABASE_URL", "  ")]);
    assert!(empty.contains("is set, but empty"), "{empty}");
}

#[cfg(not(feature = "jwt"))]
#[test]
fn tokens_need_the_feature_and_say_so() {
    let vars = [
        ("TENANCY_RESOLUTION_STRATEGY", "jwt"),
        ("TENANCY_JWT_AUDIENCE", "any"),
        ("TENANCY_JWT_ISSUER", "any"),
    ];
    let said = problem(rls(), &vars);
    assert!(said.contains("not in this build"), "{said}");
    assert!(said.contains("features = [\"jwt\"]"), "{said}");
}

#[test]
fn limits_are_as_they_are_set_and_no_setting_does_nothing() {
    use crate::limit::WithoutRedis;

    let none = read(rls(), &[]).unwrap().rate_limits;
    assert!(none.every_tenant.is_none() && none.redis_url.is_none());
    let on = ("TENANCY_ENABLE_RATE_LIMITING", "true");
    let limits = |vars: &[_]| read(rls(), vars).unwrap().rate_limits;
    let every = |vars: &[_]| limits(vars).every_tenant.unwrap().to_string();
    assert_eq!(every(&[on]), "100/min");
    let seven = ("TENANCY_RATE_LIMIT_PER_MINUTE", "7");
    assert_eq!(every(&[on, seven]), "7/min");
    let off = ("TENANCY_ENABLE_RATE_LIMITING", "false");
    assert!(limits(&[off, seven]).every_tenant.is_none());
    let alone = problem(rls(), &[seven]);
    assert!(
        alone.contains("TENANCY_ENABLE_RATE_LIMITING is not"),
        "{alone}"
    );

    let redis = ("TENANCY_REDIS_URL", "redis://:hunter2@localhost/");
    let choice = |choice| ("TENANCY_RATE_LIMIT_WITHOUT_REDIS", choice);
    let missing = problem(rls(), &[on, redis]);
    assert!(
        missing.starts_with("TENANCY_RATE_LIMIT_WITHOUT_REDIS: is not set"),
        "{missing}"
    );
    assert!(
        limits(&[redis]).without_redis.is_none(),
        "nothing is limited"
    );
    for (text, read) in [
        ("allow", WithoutRedis::Allow),
        ("refuse", WithoutRedis::Refuse),
    ] {
        let limits = limits(&[on, redis, choice(text)]);
        assert_eq!(limits.without_redis, Some(read));
        assert!(!format!("{limits:?}").contains("hunter2"));
    }
    let alone = problem(rls(), &[choice("allow")]);
    assert!(alone.contains("TENANCY_REDIS_URL is not"), "{alone}");
}

#[test]
fn a_redis_over_tls_is_one_whose_certificate_is_verified() {
    for scheme in ["rediss", "valkeys"] {
        let url = format!("{scheme}://:hunter2@localhost/");
        let careless = format!("{url}#insecure");
        if crate::tls::BUILT_IN {
            let config = read(rls(), &[("TENANCY_REDIS_URL", &url)]).unwrap();
            let taken = config.rate_limits.redis_url.unwrap();
            assert_eq!(taken.expose_secret(), url);
            let refused = problem(rls(), &[("TENANCY_REDIS_URL", &careless)]);
            assert!(refused.contains("`#insecure`"), "{refused}");
            assert!(!refused.contains("hunter2"), "{refused}");
        } else {
            for url in [url, careless] {
                let refused = problem(rls(), &[("TENANCY_REDIS_URL", &url)]);
                assert!(refused.contains("feature `tls`"), "{refused}");
                assert!(!refused.contains("hunter2"), "{refused}");
            }
        }
    }
}

/// "hunter2", and as many bytes more as a key has.
#[cfg(feature = "encryption")]
const KEY: &str = "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMjEyMzQ=";

#[cfg(feature = "encryption")]
#[test]
fn keys_are_read_where_there_is_a_place_for_secrets() {
    let config = read(rls(), &[("TENANCY_ENCRYPTION_KEY", KEY)]).unwrap();
    let ring = config.encryption_keys.unwrap();
    assert_eq!(ring.ids().collect::<Vec<_>>(), ["1"]);
    assert!(read(rls(), &[]).unwrap().encryption_keys.is_none());

    for (wrong, said) in [
        ("", "is set, but empty"),
        ("hunter2", "a key 1 that is not base64"),
        ("aHVudGVyMg==", "a key 1 of 7 bytes, and 32 are needed"),
        (&format!("a:{KEY},a:{KEY}"), "two keys with the id `a`"),
        (&format!("a:{KEY},"), "nothing in the place of key 2"),
    ] {
        let problem = problem(rls(), &[("TENANCY_ENCRYPTION_KEY", wrong)]);
        assert!(problem.contains(said), "{problem}");
        assert!(!problem.contains("hunter2") && !problem.contains("aHVudGVyMg"));
    }
    let no_database = problem(Defaults::default(), &[("TENANCY_ENCRYPTION_KEY", KEY)]);
    assert!(
        no_database.contains("no database to keep secrets in"),
        "{no_database}"
    );
}

#[cfg(not(feature = "encryption"))]
#[test]
fn a_key_for_a_build_that_encrypts_nothing_was_meant_otherwise() {
    let problem = problem(rls(), &[("TENANCY_ENCRYPTION_KEY", "1")]);
    assert!(problem.contains("features = [\"encryption\"]"), "{problem}");
}
