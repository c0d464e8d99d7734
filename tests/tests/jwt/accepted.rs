//! Tokens that hold, of every kind of key.

use jsonwebtoken::Algorithm;
use serde_json::json;
use tenancy::HeaderResolver;
use tenancy::admit::Gateway;

use super::token::{
    ED25519, ED25519_PUBLIC, P256, P256_PUBLIC, P384, P384_PUBLIC, RSA, RSA_PUBLIC, Token,
};
use super::{A, B, SECRET, app, is_let_in, open, ours, refusal, with};
use crate::resolution::Door;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_each_algorithm_is_taken_by_its_key_and_by_no_other() {
    let secret = SECRET.repeat(2);
    let of = |algorithm, pem| Token::pem(algorithm, pem).mint();
    let hmac = |algorithm| Token::hmac(algorithm, &secret).mint();
    use Algorithm::*;
    let kinds = [
        ("TENANCY_JWT_SECRET", &*secret, "HS256", hmac(HS256)),
        ("TENANCY_JWT_SECRET", &secret, "HS384", hmac(HS384)),
        ("TENANCY_JWT_SECRET", &secret, "HS512", hmac(HS512)),
        (
            "TENANCY_JWT_PUBLIC_KEY",
            RSA_PUBLIC,
            "RS256",
            of(RS256, RSA),
        ),
        (
            "TENANCY_JWT_PUBLIC_KEY",
            RSA_PUBLIC,
            "RS384",
            of(RS384, RSA),
        ),
        (
            "TENANCY_JWT_PUBLIC_KEY",
            RSA_PUBLIC,
            "RS512",
            of(RS512, RSA),
        ),
        (
            "TENANCY_JWT_PUBLIC_KEY",
            RSA_PUBLIC,
            "PS256",
            of(PS256, RSA),
        ),
        (
            "TENANCY_JWT_PUBLIC_KEY",
            RSA_PUBLIC,
            "PS384",
            of(PS384, RSA),
        ),
        (
            "TENANCY_JWT_PUBLIC_KEY",
            RSA_PUBLIC,
            "PS512",
            of(PS512, RSA),
        ),
        (
            "TENANCY_JWT_PUBLIC_KEY",
            P256_PUBLIC,
            "ES256",
            of(ES256, P256),
        ),
        (
            "TENANCY_JWT_PUBLIC_KEY",
            P384_PUBLIC,
            "ES384",
            of(ES384, P384),
        ),
        (
            "TENANCY_JWT_PUBLIC_KEY",
            ED25519_PUBLIC,
            "EdDSA",
            of(EdDSA, ED25519),
        ),
    ];
    for (variable, key, algorithm, _) in &kinds {
        let door = open(&[(variable, key), ("TENANCY_JWT_ALGORITHM", algorithm)]).await;
        let refused = refusal(&door).await;
        for (_, _, other, token) in &kinds {
            let answer = with(&door, token).await;
            if other == algorithm {
                is_let_in(&answer, algorithm);
            } else {
                assert_eq!(answer, refused, "{other} for {algorithm}");
            }
        }
    }
    // Which algorithm a key is for need not be said.
    for (variable, key, token) in [
        ("TENANCY_JWT_SECRET", &*secret, &kinds[0].3),
        ("TENANCY_JWT_PUBLIC_KEY", RSA_PUBLIC, &kinds[3].3),
        (
            "TENANCY_JWT_PUBLIC_KEY",
            &RSA_PUBLIC.replace('\n', "\\n"),
            &kinds[3].3,
        ),
        ("TENANCY_JWT_PUBLIC_KEY", P256_PUBLIC, &kinds[9].3),
        ("TENANCY_JWT_PUBLIC_KEY", P384_PUBLIC, &kinds[10].3),
        ("TENANCY_JWT_PUBLIC_KEY", ED25519_PUBLIC, &kinds[11].3),
    ] {
        let door = open(&[(variable, key)]).await;
        is_let_in(&with(&door, token).await, key);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_see_who_it_is_and_what_the_token_says() {
    let door = open(&[("TENANCY_JWT_SECRET", SECRET)]).await;
    let bearer = |token: Token| format!("Authorization: Bearer {}", token.mint());
    let alice = bearer(Token::secret());
    assert_eq!(
        door.short("/who", &["Host: x", &alice]).await,
        format!("200 {}", json!({ "who": "alice", "roles": ["admin"] }))
    );
    assert_eq!(
        door.short("/maybe", &["Host: x", &alice]).await,
        format!("200 {}", json!([A, "alice"]))
    );
    assert_eq!(
        door.short("/maybe", &["Host: x"]).await,
        format!("200 {}", json!([null, null]))
    );
    // Who is nobody, and what is not of the handler's type, is refused there only.
    let refused = refusal(&door).await;
    for token in [
        Token::secret().claim("sub", json!(null)),
        Token::secret().claim("roles", json!("admin")),
    ] {
        is_let_in(&with(&door, &token.mint()).await, "the tenant alone");
        let answer = door.get("/who", &["Host: x", &bearer(token)]).await;
        assert_eq!(answer, refused);
    }
    // A token that holds does not help one that does not, nor is a bad one taken
    // for none.
    let answer = door.get("/maybe", &["Host: x", "Authorization: Bearer a.b.c"]);
    assert_eq!(answer.await, refused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_for_one_tenant_opens_no_other() {
    let app = || app().resolver(ours()).resolver(HeaderResolver::default());
    let vars = [("TENANCY_JWT_SECRET", SECRET)];
    let bearer = format!("Authorization: Bearer {}", Token::secret().mint());
    let (a, b) = ("X-Tenant-ID: acme-corp", "X-Tenant-ID: globex");
    let door = Door::open(app(), &vars).await;
    let unknown = door.get("/me", &["Host: x", "X-Tenant-ID: unknown"]).await;
    assert!(unknown.contains("tenant_unresolved"), "{unknown}");
    is_let_in(&door.get("/me", &["Host: x", &bearer]).await, "the token");
    is_let_in(&door.get("/me", &["Host: x", &bearer, a]).await, "both");
    // A's token with B's header, and a header with no token at all.
    for lines in [&["Host: x", &bearer, b][..], &["Host: x", a]] {
        assert_eq!(door.get("/me", lines).await, unknown, "{lines:?}");
    }
    let refused = refusal(&door).await;
    let forged = ["Host: x", "Authorization: Bearer a.b.c", a];
    assert_eq!(door.get("/me", &forged).await, refused);
    // The twin: where a gateway decides, the header alone is enough, and a token
    // that says something else is still a contradiction.
    let door = Door::open(app().membership(Gateway), &vars).await;
    is_let_in(&door.get("/me", &["Host: x", a]).await, "the header");
    assert_eq!(door.get("/me", &["Host: x", &bearer, b]).await, unknown);
    // The handler wants a token, and this tenant was named without.
    assert_eq!(door.get("/who", &["Host: x", a]).await, refused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_is_unknown_or_suspended_is_answered_as_everywhere() {
    let door = open(&[("TENANCY_JWT_SECRET", SECRET)]).await;
    let token = |slug: &str| Token::secret().claim("tenant_id", json!(slug)).mint();
    let unknown = with(&door, &token("initech")).await;
    assert!(unknown.starts_with("HTTP/1.1 400 "), "{unknown}");
    assert!(unknown.contains("tenant_unresolved"), "{unknown}");
    let provisioner = door.tenancy.provisioner();
    provisioner.suspend(&B.parse().unwrap()).await.unwrap();
    let suspended = with(&door, &token(B)).await;
    assert!(suspended.starts_with("HTTP/1.1 403 "), "{suspended}");
    assert!(suspended.contains("tenant_inactive"), "{suspended}");
    is_let_in(&with(&door, &token(A)).await, "the other");
}
