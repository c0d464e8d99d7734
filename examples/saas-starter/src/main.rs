//! A SaaS API as they usually begin: signed tokens say who somebody is and for
//! which tenant, tables are shared behind row-level security, writing is limited,
//! and what is written is in the tenant's trail.

use saas_starter::{AUDIENCE, DEVELOPMENT_SECRET, ISSUER};
use serde::Deserialize;
use serde_json::json;
use tenancy::audit::AuditEntry;
use tenancy::prelude::*;
use tenancy::resolve::{JwtAlgorithm, JwtKeys, JwtResolver};

/// Something to read.
#[tenant_model]
pub struct Post {
    /// The key.
    pub id: Uuid,
    /// What it is about.
    pub title: String,
    /// What it says.
    pub body: String,
}

#[tenant_handler(get, "/health", tenant = "none")]
async fn health() -> &'static str {
    "ok"
}

#[tenant_handler(get, "/posts")]
async fn list(mut db: TenantConn) -> Result<Json<Vec<Post>>> {
    let latest = Post::query().order(posts::id.desc()).limit(20);
    Ok(Json(latest.load(&mut db).await?))
}

/// The post and its entry in the trail are there together, or neither is.
#[tenant_handler(post, "/posts", rate_limit = "60/min")]
async fn publish(
    mut db: TenantConn,
    audit: Audit,
    Json(new): Json<NewPost>,
) -> Result<(StatusCode, Json<Post>)> {
    let post = db.transaction(async |conn| {
        let post = new.insert(conn).await?;
        let event = AuditEvent::new("publish", "post").detail(json!({ "id": post.id }));
        audit.record_in(conn, event).await?;
        Ok::<_, Error>(post)
    });
    Ok((StatusCode::CREATED, Json(post.await?)))
}

/// The last entry of the page before.
#[derive(Deserialize)]
struct Page {
    before: Option<Uuid>,
}

#[tenant_handler(get, "/audit")]
async fn trail(mut db: TenantConn, Query(page): Query<Page>) -> Result<Json<Vec<AuditEntry>>> {
    Ok(Json(AuditEntry::page(&mut db, page.before, 50).await?))
}

#[tenancy::app(
    isolation = "rls",
    audit = "database",
    models(Post),
    routes(health, list, publish, trail),
    seed("acme-corp", "globex")
)]
async fn main(app: App) -> Result<()> {
    let mut resolver = JwtResolver::new().audience(AUDIENCE).issuer(ISSUER);
    if let Some(secret) = DEVELOPMENT_SECRET {
        let keys = JwtKeys::secret(&secret.into(), JwtAlgorithm::Hs256);
        resolver = resolver.keys(keys.map_err(Error::internal)?);
    }
    app.resolver(resolver)
        .on_listen(|address| {
            println!("curl http://{address}/health");
            println!("TOKEN=$(cargo run -q -p saas-starter --bin generate_token acme-corp)");
            println!("curl http://{address}/posts -H \"Authorization: Bearer $TOKEN\"");
            println!("curl http://{address}/posts -H \"Authorization: Bearer $TOKEN\" --json '{{\"title\": \"Hello SaaS!\", \"body\": \"It works.\"}}'");
            println!("curl http://{address}/audit -H \"Authorization: Bearer $TOKEN\"");
        })
        .serve()
        .await
}
