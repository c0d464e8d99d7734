//! What is kept for tenants: read by its tenant and nobody else, under keys that
//! rotate while everybody serves.

mod commands;
mod kept;
mod logins;
mod metadata;
mod rotated;

use integration::http::{Answer, Caller};
use serde_json::json;
use tenancy::admit::Gateway;
use tenancy::prelude::*;
use tenancy::secrets::{ExposeSecret as _, KeyRing};
use tenancy::{Isolation, Strategy};

const A: &str = "acme-corp";
const B: &str = "globex";
const STRATEGIES: [Strategy; 3] = [Strategy::Rls, Strategy::Schema, Strategy::Database];

#[derive(serde::Deserialize)]
struct Told {
    value: String,
}

#[tenant_handler(get, "/secrets/{name}")]
async fn tell(Path(name): Path<String>, secrets: TenantSecrets) -> Result<String> {
    let secret = secrets.get(&name).await?.ok_or(Error::NotFound)?;
    Ok(secret.expose_secret().to_owned())
}

#[tenant_handler(post, "/secrets/{name}")]
async fn keep(
    Path(name): Path<String>,
    secrets: TenantSecrets,
    Json(told): Json<Told>,
) -> Result<StatusCode> {
    secrets.set(&name, told.value.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[tenant_handler(delete, "/secrets/{name}")]
async fn forget(Path(name): Path<String>, secrets: TenantSecrets) -> Result<Json<bool>> {
    Ok(Json(secrets.remove(&name).await?))
}

#[tenant_handler(get, "/secrets")]
async fn names(secrets: TenantSecrets) -> Result<Json<Vec<String>>> {
    Ok(Json(secrets.names().await?))
}

fn app(strategy: Strategy) -> App {
    App::new("vault", "1.0.0")
        .membership(Gateway)
        .isolation(Isolation::single(strategy))
        .model::<crate::shop::Todo>()
        .model::<crate::shop::Project>()
        .route::<tell>()
        .route::<keep>()
        .route::<forget>()
        .route::<names>()
        .seed(A)
        .seed(B)
}

/// A new key, as `id:key`.
fn key(id: &str) -> String {
    let key = KeyRing::generate_key(id).expect("an id");
    key.expose_secret().to_owned()
}

async fn set(caller: Caller<'_>, name: &str, value: &str) {
    let path = format!("/secrets/{name}");
    let kept = caller.post(&path, json!({ "value": value })).await;
    assert_eq!(kept.status, 204, "{}", kept.text());
}

async fn get(caller: Caller<'_>, name: &str) -> Answer {
    caller.get(&format!("/secrets/{name}")).await
}

/// The secret, which the caller has.
async fn value(caller: Caller<'_>, name: &str) -> String {
    let answer = get(caller, name).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}
