//! Tenants named by a signed token: which are taken, and that all others are
//! refused in the same words.

mod accepted;
mod configured;
mod forged;
pub(crate) mod jwks;
mod pyjwt;
pub(crate) mod token;

use serde::Deserialize;
use serde_json::json;
use tenancy::prelude::*;
use tenancy::resolve::JwtResolver;

use crate::resolution::Door;

const A: &str = "acme-corp";
const B: &str = "globex";

const SECRET: &str = "a-secret-of-the-tests-that-is-32-bytes-and-more";
pub(crate) const AUDIENCE: &str = "shop";
pub(crate) const ISSUER: &str = "https://login.test/";

#[derive(Deserialize, serde::Serialize)]
struct Ours {
    #[serde(default)]
    roles: Vec<String>,
}

#[tenant_handler(get, "/me")]
async fn me(tenant: Tenant) -> Json<Value> {
    Json(json!({ "tenant": tenant.slug() }))
}

#[tenant_handler(get, "/who")]
async fn who(principal: Principal, Claims(ours): Claims<Ours>) -> Json<Value> {
    Json(json!({ "who": principal.as_str(), "roles": ours.roles }))
}

#[tenant_handler(get, "/maybe", tenant = "optional")]
async fn maybe(tenant: Option<Tenant>, principal: Option<Principal>) -> Json<Value> {
    let tenant = tenant.map(|tenant| tenant.slug().clone());
    Json(json!([
        tenant,
        principal.map(|principal| principal.to_string())
    ]))
}

fn app() -> App {
    App::new("tokens", "1.0.0")
        .route::<me>()
        .route::<who>()
        .route::<maybe>()
        .seed(A)
        .seed(B)
}

/// Takes tokens of our issuer for our audience.
fn ours() -> JwtResolver {
    JwtResolver::new().audience(AUDIENCE).issuer(ISSUER)
}

/// An application whose key the environment names.
async fn open(vars: &[(&str, &str)]) -> Door {
    Door::open(app().resolver(ours()), vars).await
}

/// The whole answer to a request with this token.
async fn with(door: &Door, token: &str) -> String {
    let line = format!("Authorization: Bearer {token}");
    door.get("/me", &["Host: x", &line]).await
}

/// The answer to a request without a token, which is that to all that are
/// refused.
async fn refusal(door: &Door) -> String {
    let refused = door.get("/me", &["Host: x"]).await;
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    assert!(refused.contains("\"code\":\"invalid_token\""), "{refused}");
    assert!(refused.contains("www-authenticate: Bearer"), "{refused}");
    refused
}

#[track_caller]
fn is_let_in(answer: &str, of: &str) {
    assert!(answer.starts_with("HTTP/1.1 200 "), "{of}: {answer}");
    assert!(answer.contains(A), "{of}: {answer}");
}
