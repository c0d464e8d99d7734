//! Tokens as an issuer makes them that is not ours: PyJWT's.

use std::process::{Command, Stdio};

use serde_json::json;

use super::token::{ED25519, ED25519_PUBLIC, OTHER_RSA, P256, P256_PUBLIC, P384, P384_PUBLIC, RSA};
use super::token::{RSA_PUBLIC, at};
use super::{A, AUDIENCE, ISSUER, SECRET, is_let_in, open, refusal, with};

/// Makes every token of a test in one go: starting Python takes longer than the
/// rest.
const SCRIPT: &str = "\
import json, sys, jwt
for one in json.load(sys.stdin):
    key = one['key']
    print(jwt.encode(one['claims'], key, algorithm=one['algorithm'], headers=one['headers']))
";

/// The tokens of these keys and algorithms, in their order.
fn minted(wanted: &[(&str, &str)]) -> Vec<String> {
    let claims = json!({
        "sub": "alice", "tenant_id": A, "aud": AUDIENCE, "iss": ISSUER,
        "exp": at(600), "nbf": at(0), "iat": at(0),
    });
    let orders: Vec<_> = wanted
        .iter()
        .map(|(key, algorithm)| {
            json!({ "key": key, "algorithm": algorithm, "claims": claims, "headers": {"kid": "k"} })
        })
        .collect();
    let python = std::env::var_os("TENANCY_TEST_PYTHON");
    let python = python.expect("TENANCY_TEST_PYTHON: run `cargo xtask test -- FILTER`");
    let mut child = Command::new(python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python");
    let stdin = child.stdin.take().expect("its input");
    serde_json::to_writer(stdin, &orders).expect("the orders");
    let output = child.wait_with_output().expect("its output");
    assert!(output.status.success(), "PyJWT has failed: see above");
    let tokens = String::from_utf8(output.stdout).expect("text");
    let tokens: Vec<_> = tokens.lines().map(str::to_owned).collect();
    assert_eq!(tokens.len(), wanted.len());
    tokens
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_pyjwt_are_taken_where_they_hold() {
    let secret = SECRET.repeat(2);
    let other = "another secret, which is as long as ours".repeat(2);
    let kinds = [
        ("SECRET", &*secret, &*secret, &*other, "HS256"),
        ("SECRET", &secret, &secret, &other, "HS384"),
        ("SECRET", &secret, &secret, &other, "HS512"),
        ("PUBLIC_KEY", RSA_PUBLIC, RSA, OTHER_RSA, "RS256"),
        ("PUBLIC_KEY", RSA_PUBLIC, RSA, OTHER_RSA, "RS384"),
        ("PUBLIC_KEY", RSA_PUBLIC, RSA, OTHER_RSA, "RS512"),
        ("PUBLIC_KEY", RSA_PUBLIC, RSA, OTHER_RSA, "PS256"),
        ("PUBLIC_KEY", RSA_PUBLIC, RSA, OTHER_RSA, "PS384"),
        ("PUBLIC_KEY", RSA_PUBLIC, RSA, OTHER_RSA, "PS512"),
        ("PUBLIC_KEY", P256_PUBLIC, P256, "", "ES256"),
        ("PUBLIC_KEY", P384_PUBLIC, P384, "", "ES384"),
        ("PUBLIC_KEY", ED25519_PUBLIC, ED25519, "", "EdDSA"),
    ];
    let mut wanted = Vec::new();
    for (_, _, private, other, algorithm) in kinds {
        wanted.push((private, algorithm));
        wanted.push(("", "none"));
        wanted.push(match other {
            "" => (OTHER_RSA, "RS256"),
            other => (other, algorithm),
        });
    }
    let tokens = minted(&wanted);
    for ((variable, key, _, _, algorithm), tokens) in kinds.into_iter().zip(tokens.chunks(3)) {
        let variable = format!("TENANCY_JWT_{variable}");
        let door = open(&[(&variable, key), ("TENANCY_JWT_ALGORITHM", algorithm)]).await;
        let refused = refusal(&door).await;
        is_let_in(&with(&door, &tokens[0]).await, algorithm);
        assert_eq!(
            with(&door, &tokens[1]).await,
            refused,
            "none for {algorithm}"
        );
        assert_eq!(
            with(&door, &tokens[2]).await,
            refused,
            "another {algorithm}"
        );
    }
}
