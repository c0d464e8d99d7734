//! Tokens that do not hold. Each row has its twin: the token that it was made
//! from, which is taken.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::token::{OTHER_RSA, RSA, RSA_PUBLIC, Token, at, encoded, signed};
use super::{A, B, SECRET, app, is_let_in, open, ours, refusal, with};
use crate::resolution::Door;

/// What it is, the token that holds, and the one that does not.
type Row = (String, String, String);

fn row(what: &str, good: &Token, forged: String) -> Row {
    (what.to_owned(), good.mint(), forged)
}

async fn all_refused(door: &Door, rows: Vec<Row>) {
    let refused = refusal(door).await;
    for (what, good, forged) in rows {
        assert_ne!(good, forged, "{what}");
        is_let_in(&with(door, &good).await, &what);
        assert_eq!(with(door, &forged).await, refused, "{what}");
    }
}

/// What is wrong with the claims, whatever key signs them.
fn claims(good: &Token) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, wrong) in [
        // Beyond the leeway.
        ("exp", json!(at(-45))),
        ("exp", json!(null)),
        ("exp", json!(at(600).to_string())),
        ("exp", json!("never")),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("nbf", json!(at(300))),
        ("nbf", json!("soon")),
        ("nbf", json!([at(-300)])),
        ("aud", json!(null)),
        ("aud", json!("")),
        ("aud", json!("another")),
        ("aud", json!(["another", "shop2"])),
        ("aud", json!([])),
        ("aud", json!({ "shop": true })),
        ("aud", json!("SHOP")),
        ("iss", json!(null)),
        ("iss", json!("https://login.test")),
        ("iss", json!("https://evil.test/")),
        ("iss", json!(["https://login.test/"])),
        ("tenant_id", json!(null)),
        ("tenant_id", json!("")),
        ("tenant_id", json!(1)),
        ("tenant_id", json!(true)),
        ("tenant_id", json!([A])),
        ("tenant_id", json!({ "slug": A })),
        ("tenant_id", json!("Acme-Corp")),
        ("tenant_id", json!("acme/corp")),
        ("tenant_id", json!("../acme-corp")),
        ("tenant_id", json!("acme-corp\n")),
        ("tenant_id", json!("acme-corp\0")),
        ("tenant_id", json!(" acme-corp")),
        ("tenant_id", json!("a".repeat(64))),
        ("sub", json!(7)),
    ] {
        let forged = good.clone().claim(name, wrong.clone()).mint();
        rows.push(row(&format!("{name} {wrong}"), good, forged));
    }
    // The claim of another name is not the tenant's.
    let other = good.clone().claim("tenant_id", Value::Null);
    let other = other.claim("tenant", json!(A)).mint();
    rows.push(row("tenant in another claim", good, other));
    // Within the leeway, or among others, it holds.
    for (name, right) in [
        ("exp", json!(at(-5))),
        ("nbf", json!(at(5))),
        ("nbf", json!(at(-300))),
        ("aud", json!(["another", "shop"])),
    ] {
        let twin = good.clone().claim(name, right);
        rows.push(row(name, &twin, "a.b.c".to_owned()));
    }
    rows
}

/// What is wrong with the form and the signature.
fn forms(good: &Token) -> Vec<Row> {
    let token = good.mint();
    let parts: Vec<_> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        panic!("{token}");
    };
    let mut rows = Vec::new();
    for none in ["none", "None", "NONE", "nOnE", "", "HS1", "RS257", "hs256"] {
        let message = good.clone().header("alg", json!(none)).message();
        for signature in ["", signature] {
            let forged = format!("{message}.{signature}");
            rows.push(row(&format!("alg {none:?} {signature:?}"), good, forged));
        }
    }
    let without_alg = good.clone().header("alg", Value::Null);
    let crit = good.clone().header("crit", json!(["b64"]));
    let crit = crit.header("b64", json!(false));
    let compressed = json!({ "alg": [good.header["alg"]] }).to_string();
    let twice = format!("{{\"alg\":\"none\",\"alg\":{}}}", good.header["alg"]);
    let b = good.clone().claim("tenant_id", json!("globex")).message();
    let b = b.split('.').nth(1).expect("a payload");
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    for (what, forged) in [
        ("no alg", without_alg.mint()),
        ("critical header", crit.mint()),
        (
            "a list of algs",
            format!("{}.{payload}.{signature}", encoded(compressed.as_bytes())),
        ),
        (
            "two algs",
            format!("{}.{payload}.{signature}", encoded(twice.as_bytes())),
        ),
        ("no signature", format!("{header}.{payload}.")),
        ("no third part", format!("{header}.{payload}")),
        ("one part", header.to_owned()),
        ("an extra part", format!("{token}.{signature}")),
        ("an empty extra part", format!("{token}.")),
        ("truncated signature", token[..token.len() - 4].to_owned()),
        (
            "half a signature",
            format!("{header}.{payload}.{}", &signature[..signature.len() / 2]),
        ),
        (
            "another signature",
            format!("{header}.{payload}.{flipped}{}", &signature[1..]),
        ),
        ("padded signature", format!("{token}==")),
        (
            "claims of another tenant",
            format!("{header}.{b}.{signature}"),
        ),
        (
            "claims that are no JSON",
            format!("{header}.{}.{signature}", encoded(b"[]")),
        ),
        ("dots", "...".to_owned()),
        (
            "a huge token",
            format!("{header}.{}.{signature}", "a".repeat(9000)),
        ),
        (
            "a huge token that is signed",
            good.clone().claim("more", json!("a".repeat(9000))).mint(),
        ),
    ] {
        rows.push(row(what, good, forged));
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_tokens_are_refused_alike_where_a_secret_signs() {
    let door = open(&[("TENANCY_JWT_SECRET", SECRET)]).await;
    let good = Token::secret();
    let mut rows = claims(&good);
    rows.extend(forms(&good));
    for wrong in ["", " ", "secret", &SECRET[1..], &format!("{SECRET} ")] {
        let forged = Token::hmac(Algorithm::HS256, wrong).mint();
        rows.push(row(&format!("signed with {wrong:?}"), &good, forged));
    }
    let other = Token::hmac(Algorithm::HS512, SECRET).mint();
    rows.push(row("another hash", &good, other));
    let rsa = Token::pem(Algorithm::RS256, RSA).mint();
    rows.push(row("a key of its own", &good, rsa));
    assert!(rows.len() > 60, "{}", rows.len());
    all_refused(&door, rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_tokens_are_refused_alike_where_a_public_key_verifies() {
    let door = open(&[("TENANCY_JWT_PUBLIC_KEY", RSA_PUBLIC)]).await;
    let good = Token::pem(Algorithm::RS256, RSA);
    let mut rows = claims(&good);
    rows.extend(forms(&good));
    // The public key as a secret, in every form in which it may be at hand.
    let der: String = RSA_PUBLIC
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    for secret in [
        RSA_PUBLIC,
        RSA_PUBLIC.trim(),
        &der,
        &RSA_PUBLIC.replace('\n', "\\n"),
    ] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let forged = Token::hmac(algorithm, secret).mint();
            rows.push(row("the public key as a secret", &good, forged));
        }
        // And with the header of the right algorithm.
        let key = EncodingKey::from_secret(secret.as_bytes());
        let forged = signed(&good.message(), &key, Algorithm::HS256);
        rows.push(row("an HMAC that says RS256", &good, forged));
    }
    for (what, other) in [
        ("another key", Token::pem(Algorithm::RS256, OTHER_RSA)),
        ("another padding", Token::pem(Algorithm::PS256, RSA)),
        ("another hash", Token::pem(Algorithm::RS512, RSA)),
    ] {
        rows.push(row(what, &good, other.mint()));
    }
    all_refused(&door, rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_is_named_in_one_place_and_nowhere_near_it() {
    let vars = [("TENANCY_JWT_SECRET", SECRET)];
    let token = Token::secret().claim("tenant_id", Value::Null);
    let within = "/app_metadata/tenant";
    let url = "https://login.test/tenant";
    let dotted = "app_metadata.tenant";
    let nested = json!({ "tenant": A });
    for (claim, name, right, wrong) in [
        (
            within,
            "app_metadata",
            nested.clone(),
            vec![
                ("app_metadata", json!(null)),
                ("app_metadata", json!(A)),
                ("app_metadata", json!([A])),
                ("app_metadata", json!([{ "tenant": A }])),
                ("app_metadata", json!(1)),
                ("app_metadata", json!({})),
                ("app_metadata", json!({ "tenant": [A] })),
                ("app_metadata", json!({ "tenant": 1 })),
                ("app_metadata", json!({ "tenant": null })),
                ("app_metadata", json!({ "tenant": { "tenant": A } })),
                ("app_metadata", json!({ "Tenant": A })),
                ("app_metadata", json!({ "app_metadata": { "tenant": A } })),
            ],
        ),
        // A place in a list is no name.
        (
            "/groups/0",
            "groups",
            json!({ "0": A }),
            vec![("groups", json!([A])), ("groups", json!(A))],
        ),
        (url, url, json!(A), vec![(url, json!([A])), (url, json!(1))]),
        (
            dotted,
            dotted,
            json!(A),
            vec![(dotted, json!({ "tenant": A }))],
        ),
    ] {
        let door = Door::open(app().resolver(ours().claim(claim)), &vars).await;
        let good = token.clone().claim(name, right);
        let mut rows: Vec<_> = wrong
            .into_iter()
            .map(|(name, value)| {
                let forged = good.clone().claim(name, value.clone()).mint();
                row(&format!("{claim}: {name} {value}"), &good, forged)
            })
            .collect();
        // What the text might mean to somebody else, alone.
        let without = good.clone().claim(name, Value::Null);
        let elsewhere = [
            ("tenant_id", json!(A)),
            ("tenant", json!(A)),
            (within, json!(A)),
            (dotted, json!(A)),
            (url, json!(A)),
            ("app_metadata", nested.clone()),
            ("https:", json!({ "": { "login.test": { "tenant": A } } })),
        ];
        for (other, value) in elsewhere {
            if other != name {
                let forged = without.clone().claim(other, value.clone()).mint();
                rows.push(row(&format!("{claim}: {other} {value}"), &good, forged));
                // And beside the right one, where it changes nothing.
                let both = good.clone().claim(other, json!(B));
                is_let_in(&with(&door, &both.mint()).await, other);
            }
        }
        all_refused(&door, rows).await;
    }
    // By the environment as well.
    let vars = [vars[0], ("TENANCY_JWT_TENANT_CLAIM", within)];
    let nested = token.claim("app_metadata", nested);
    is_let_in(&with(&open(&vars).await, &nested.mint()).await, within);
}

/// Somewhere that a token would like us to look.
async fn trap() -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let url = format!("http://{}/keys", listener.local_addr().expect("an address"));
    let task = tokio::spawn(async move {
        let _ = listener.accept().await;
    });
    (url, task)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_does_not_say_where_its_key_is() {
    let (url, mut fetched) = trap().await;
    let door = open(&[("TENANCY_JWT_PUBLIC_KEY", RSA_PUBLIC)]).await;
    let good = Token::pem(Algorithm::RS256, RSA);
    let evil = Token::pem(Algorithm::RS256, OTHER_RSA);
    let jwk = super::jwks::jwk("k", OTHER_RSA);
    let rows = [
        ("kid", json!("../../../../dev/null")),
        ("kid", json!("/etc/passwd")),
        ("kid", json!(url)),
        ("kid", json!("' OR 1=1 --")),
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("jwk", jwk),
    ];
    let rows = rows.map(|(name, value)| {
        let what = format!("{name} {value}");
        let header = |token: &Token| token.clone().header(name, value.clone());
        // The same header does no harm where the key is right.
        row(&what, &header(&good), header(&evil).mint())
    });
    all_refused(&door, rows.to_vec()).await;
    let looked = tokio::time::timeout(Duration::from_millis(100), &mut fetched).await;
    assert!(looked.is_err(), "somebody has looked at {url}");
    // The twin: the trap does see who comes.
    let address = url.trim_start_matches("http://").trim_end_matches("/keys");
    let _stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let looked = tokio::time::timeout(Duration::from_secs(5), fetched).await;
    looked.expect("somebody has looked").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_stands_in_one_authorization_header_and_nowhere_else() {
    let door = open(&[("TENANCY_JWT_SECRET", SECRET)]).await;
    let refused = refusal(&door).await;
    let token = Token::secret().mint();
    // RFC 9110, section 11.1: the scheme in any case of letters.
    for scheme in ["Bearer", "bearer", "BEARER", "Bearer  "] {
        let line = format!("Authorization: {scheme} {token}");
        is_let_in(&door.get("/me", &["Host: x", &line]).await, scheme);
    }
    let good = format!("Authorization: Bearer {token}");
    let lines = |authorization: &[&str]| -> Vec<String> {
        let lines = authorization.iter();
        lines
            .map(|value| format!("Authorization: {value}"))
            .collect()
    };
    let sets = [
        lines(&[&format!("Bearer {token}"), &format!("Bearer {token}")]),
        lines(&[&format!("Bearer {token}"), "Basic YTpi"]),
        lines(&["Basic YTpi", &format!("Bearer {token}")]),
        lines(&[""]),
        lines(&["Bearer"]),
        lines(&["Basic YTpi"]),
        lines(&[&format!("Basic {token}")]),
        lines(&[&format!("Token {token}")]),
        lines(&[&token]),
        lines(&[&format!("Bearer: {token}")]),
        lines(&[&format!("Bearer {token} {token}")]),
        lines(&[&format!("Bearer {token}, Bearer {token}")]),
        lines(&[&format!("Bearer \"{token}\"")]),
        lines(&[&format!("Bearer token={token}")]),
        vec![format!("X-Authorization: Bearer {token}")],
        vec![format!("Proxy-Authorization: Bearer {token}")],
        vec![format!("Cookie: access_token={token}; token={token}")],
        vec!["X-Tenant-ID: acme-corp".to_owned()],
    ];
    for set in sets {
        let mut all = vec!["Host: x"];
        all.extend(set.iter().map(String::as_str));
        assert_eq!(door.get("/me", &all).await, refused, "{set:?}");
    }
    for query in ["access_token", "token", "authorization"] {
        let path = format!("/me?{query}={token}");
        assert_eq!(door.get(&path, &["Host: x"]).await, refused, "{query}");
    }
    is_let_in(&door.get("/me", &["Host: x", &good]).await, "the twin");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audience_and_an_issuer_are_only_left_out_by_name() {
    let vars = [("TENANCY_JWT_SECRET", SECRET)];
    let careless = ours().any_audience().any_issuer().claim("org");
    let door = Door::open(app().resolver(careless), &vars).await;
    let token = Token::secret()
        .claim("tenant_id", Value::Null)
        .claim("org", json!(A))
        .claim("aud", Value::Null)
        .claim("iss", Value::Null);
    is_let_in(&with(&door, &token.mint()).await, "neither");
    let other = token.clone().claim("aud", json!("another"));
    is_let_in(&with(&door, &other.mint()).await, "another's");
    // By the environment as well, over what is declared.
    let any = [
        ("TENANCY_JWT_SECRET", SECRET),
        ("TENANCY_JWT_AUDIENCE", "any"),
        ("TENANCY_JWT_ISSUER", "any"),
        ("TENANCY_JWT_TENANT_CLAIM", "org"),
    ];
    is_let_in(&with(&open(&any).await, &other.mint()).await, "by name");
    // The twin: with the names, the same tokens are refused.
    let door = Door::open(app().resolver(ours().claim("org")), &vars).await;
    let refused = refusal(&door).await;
    for token in [token, other] {
        assert_eq!(with(&door, &token.mint()).await, refused);
    }
}
