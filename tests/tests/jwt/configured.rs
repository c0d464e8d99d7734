//! What a deployment says of tokens: every problem at once and by name, and
//! never a secret.

use tenancy::config::{Config, Defaults, variables};
use tenancy::resolve::{JwtAlgorithm, JwtResolver};

use super::token::{ED25519_PUBLIC, P256, P256_PUBLIC, RSA, RSA_PUBLIC, SHORT_RSA_PUBLIC};
use super::{SECRET, app, ours};

fn defaults(resolver: JwtResolver) -> Defaults {
    app().resolver(resolver).defaults()
}

fn read(defaults: Defaults, vars: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let vars = vars.iter().map(|&(n, v)| (n.to_owned(), v.to_owned()));
    Config::from_vars(defaults, vars)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let all = read(
        defaults(JwtResolver::new()),
        &[
            ("TENANCY_JWT_ALGORITHM", "none"),
            ("TENANCY_JWT_TENANT_CLAIM", ""),
        ],
    );
    let all = all.unwrap_err();
    assert_eq!(all.len(), 5, "{all:#?}");
    for said in [
        "TENANCY_JWT_TENANT_CLAIM: is set, but empty",
        "TENANCY_JWT_ALGORITHM: `none` is not an algorithm: HS256",
        "TENANCY_JWT_AUDIENCE: is not set, and without it a token for another application",
        "TENANCY_JWT_ISSUER: is not set, and without it a token of anybody",
        "TENANCY_JWT_SECRET: is not set, and tokens are checked with nothing else",
    ] {
        assert!(
            all.iter().any(|line| line.starts_with(said)),
            "{said}: {all:#?}"
        );
    }
    for claim in ["/", "/app_metadata/", "/a~2"] {
        let wrong = [
            ("TENANCY_JWT_SECRET", SECRET),
            ("TENANCY_JWT_TENANT_CLAIM", claim),
        ];
        let said = read(defaults(ours()), &wrong).unwrap_err();
        assert_eq!(said.len(), 1, "{said:#?}");
        assert!(
            said[0].starts_with("TENANCY_JWT_TENANT_CLAIM: "),
            "{said:?}"
        );
        assert!(said[0].contains("/app_metadata/tenant"), "{said:?}");
    }
    // By the environment alone.
    let chosen = [("TENANCY_RESOLUTION_STRATEGY", "jwt")];
    assert_eq!(read(app().defaults(), &chosen).unwrap_err().len(), 3);
    let chosen = [
        ("TENANCY_RESOLUTION_STRATEGY", "jwt"),
        ("TENANCY_JWT_SECRET", SECRET),
        ("TENANCY_JWT_AUDIENCE", "shop"),
        ("TENANCY_JWT_ISSUER", "any"),
    ];
    read(app().defaults(), &chosen).unwrap();
}

#[test]
fn a_key_is_right_for_its_algorithm_or_refused() {
    let long = SECRET.repeat(2);
    for (variable, key, algorithm, said) in [
        ("SECRET", "short", None, "has 5 bytes, and HS256 needs 32"),
        (
            "SECRET",
            &SECRET[..31],
            None,
            "has 31 bytes, and HS256 needs 32",
        ),
        (
            "SECRET",
            SECRET,
            Some(JwtAlgorithm::Hs384),
            "HS384 needs 48",
        ),
        (
            "SECRET",
            SECRET,
            Some(JwtAlgorithm::Hs512),
            "HS512 needs 64",
        ),
        (
            "SECRET",
            &long,
            Some(JwtAlgorithm::Rs256),
            "RS256 needs a public key",
        ),
        ("SECRET", RSA_PUBLIC, None, "is a PEM key and no secret"),
        ("PUBLIC_KEY", RSA, None, "is a private key"),
        ("PUBLIC_KEY", P256, None, "is a private key"),
        ("PUBLIC_KEY", SHORT_RSA_PUBLIC, None, "less than 2048 bits"),
        (
            "PUBLIC_KEY",
            RSA_PUBLIC,
            Some(JwtAlgorithm::Hs256),
            "not for HS256",
        ),
        (
            "PUBLIC_KEY",
            RSA_PUBLIC,
            Some(JwtAlgorithm::Es256),
            "not for ES256",
        ),
        (
            "PUBLIC_KEY",
            P256_PUBLIC,
            Some(JwtAlgorithm::Es384),
            "not for ES384",
        ),
        (
            "PUBLIC_KEY",
            ED25519_PUBLIC,
            Some(JwtAlgorithm::Rs256),
            "not for RS256",
        ),
        (
            "PUBLIC_KEY",
            "-----BEGIN PUBLIC KEY-----",
            None,
            "is no RSA, EC or",
        ),
        ("PUBLIC_KEY", "./no/such.pem", None, "cannot be read"),
    ] {
        let declared = match algorithm {
            Some(algorithm) => ours().algorithm(algorithm),
            None => ours(),
        };
        let name = format!("TENANCY_JWT_{variable}");
        let problems = read(defaults(declared), &[(&name, key)]).unwrap_err();
        assert_eq!(problems.len(), 1, "{said}: {problems:#?}");
        assert!(problems[0].starts_with(&name), "{problems:?}");
        assert!(problems[0].contains(said), "{said}: {problems:?}");
        assert!(!problems[0].contains("a-secret-of"), "{problems:?}");
    }
    for (key, said) in [
        ("./no/such.json", "cannot be read"),
        ("ftp://login.test/keys", "is no URL"),
        ("./Cargo.toml", "is no JSON Web Key Set"),
    ] {
        let problems = read(defaults(ours()), &[("TENANCY_JWKS", key)]).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert!(problems[0].contains(said), "{said}: {problems:?}");
    }
    // The twins: what is long enough, and of the right kind.
    let exactly = &SECRET[..32];
    read(defaults(ours()), &[("TENANCY_JWT_SECRET", exactly)]).unwrap();
    let declared = defaults(ours().algorithm(JwtAlgorithm::Es256));
    read(declared, &[("TENANCY_JWT_PUBLIC_KEY", P256_PUBLIC)]).unwrap();
}

#[test]
fn one_key_is_named_and_none_where_no_token_is_read() {
    let both = [
        ("TENANCY_JWT_SECRET", SECRET),
        ("TENANCY_JWT_PUBLIC_KEY", RSA_PUBLIC),
    ];
    let problems = read(defaults(ours()), &both).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let said = "TENANCY_JWT_SECRET: is set, and so is TENANCY_JWT_PUBLIC_KEY";
    assert!(problems[0].starts_with(said), "{problems:?}");

    let of_tokens = variables().iter().filter(|variable| {
        variable.name.starts_with("TENANCY_JWT_") || variable.name == "TENANCY_JWKS"
    });
    let mut count = 0;
    for variable in of_tokens {
        count += 1;
        let problems = read(app().defaults(), &[(variable.name, SECRET)]).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:#?}");
        let said = format!(
            "{}: is set, and tenants are not resolved by jwt",
            variable.name
        );
        assert!(problems[0].starts_with(&said), "{problems:?}");
        assert!(!problems[0].contains(SECRET), "{problems:?}");
    }
    assert_eq!(count, 7);
    let slip = read(app().defaults(), &[("TENANCY_JWT_SECRETS", SECRET)]).unwrap_err();
    assert!(
        slip[0].contains("did you mean TENANCY_JWT_SECRET?"),
        "{slip:?}"
    );
}

#[test]
fn no_secret_is_shown() {
    let config = read(defaults(ours()), &[("TENANCY_JWT_SECRET", SECRET)]).unwrap();
    let shown = format!("{config:?} {:#?}", config.resolution);
    assert!(shown.contains("jwt"), "{shown}");
    assert!(!shown.contains(SECRET), "{shown}");
    // Nor as the numbers of its bytes.
    let bytes = format!("{:?}", &SECRET.as_bytes()[..8]);
    assert!(!shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
    let app = app().resolver(ours());
    assert!(!format!("{app:?}").contains(SECRET));
}
