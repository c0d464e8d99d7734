//! Tenants by API key: whoever sends a tenant's key in `X-API-Key` acts for it.
//! The program knows the keys' hashes only, so that its source and its memory
//! give none away.

use axum::http::request::Parts;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tenancy::prelude::*;
use tenancy::resolve::{Candidate, Resolver};

/// SHA-256 of each key, with the tenant whose key it is. That is enough for keys
/// that are long and random; for words that people choose it would not be.
const KEYS: &[(&str, &str)] = &[
    (
        "ef3a6ac60e2ee4aac0a350c4b74406d90ac1fa57bb2b95e434819d7ca46f2104",
        "acme-corp",
    ),
    (
        "4a6e94a8c70be1913f288cfabc148d1ec1fdf610b29117e6b1030e27c8160028",
        "globex",
    ),
];

/// Finds the tenant by its key.
struct ApiKey;

#[tenancy::async_trait]
impl Resolver for ApiKey {
    async fn resolve(&self, request: &Parts) -> Result<Option<Candidate>> {
        let mut keys = request.headers.get_all("x-api-key").iter();
        let (Some(key), None) = (keys.next(), keys.next()) else {
            return Ok(None);
        };
        let digest = Sha256::digest(key.as_bytes());
        let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let found = KEYS.iter().find(|(known, _)| *known == hash);
        let (_, slug) = found.ok_or(Error::TenantUnresolved)?;
        Ok(Some(Candidate::proven(slug.parse()?)))
    }

    /// Only a tenant's own people have its key.
    fn proves_membership(&self) -> bool {
        true
    }
}

#[tenant_handler(get, "/health", tenant = "none")]
async fn health() -> &'static str {
    "ok"
}

#[tenant_handler(get, "/data")]
async fn data(tenant: Tenant) -> Json<Value> {
    Json(json!({ "tenant": tenant.slug(), "data": format!("what {} sees", tenant.name()) }))
}

#[tenancy::app(resolver = ApiKey, routes(health, data))]
async fn main(app: App) -> Result<()> {
    app.seed_tenant(NewTenant::new("acme-corp")?.name("Acme Corp"))
        .seed_tenant(NewTenant::new("globex")?.name("Globex"))
        .on_listen(|address| {
            for key in ["key-acme-ABCDEF", "key-globex-123456", "wrong-key"] {
                println!("curl http://{address}/data -H 'X-API-Key: {key}'");
            }
        })
        .serve()
        .await
}
