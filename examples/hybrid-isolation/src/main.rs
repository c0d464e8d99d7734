//! Different isolation for different tiers: premium tenants have a schema of
//! their own, standard ones share tables behind row-level security. Models,
//! handlers and queries are the same for both.

use serde_json::json;
use tenancy::Strategy;
use tenancy::prelude::*;

/// A bill to a customer.
#[tenant_model]
pub struct Invoice {
    /// The key.
    pub id: Uuid,
    /// Unique for the tenant.
    #[column(unique)]
    pub number: String,
    /// Who pays.
    pub customer: String,
    /// How much, in cents.
    pub cents: i64,
}

#[tenant_handler(get, "/health", tenant = "none")]
async fn health() -> &'static str {
    "ok"
}

/// How the tenant that asks is kept apart. That was chosen when it was
/// provisioned, and stays when the list of premium tenants changes.
#[tenant_handler(get, "/me")]
async fn me(tenant: Tenant) -> Json<Value> {
    let tier = match tenant.strategy() {
        Some(Strategy::Schema) => "premium",
        _ => "standard",
    };
    Json(json!({
        "tenant": tenant.slug(),
        "tier": tier,
        "isolation_strategy": tenant.strategy(),
    }))
}

/// All invoices, by number.
#[tenant_handler(get, "/invoices")]
async fn list(mut db: TenantConn) -> Result<Json<Vec<Invoice>>> {
    let all = Invoice::query().order(invoices::number);
    Ok(Json(all.load(&mut db).await?))
}

/// Issues an invoice.
#[tenant_handler(post, "/invoices", status = 201)]
async fn issue(
    mut db: TenantConn,
    Json(new): Json<NewInvoice>,
) -> Result<(StatusCode, Json<Invoice>)> {
    Ok((StatusCode::CREATED, Json(new.insert(&mut db).await?)))
}

#[tenancy::app(
    isolation = "hybrid",
    premium = "schema",
    standard = "rls",
    premium_tenants("acme-corp", "globex"),
    premium_plans("enterprise"),
    resolver = "header",
    membership = "gateway",
    models(Invoice),
    routes(health, me, list, issue),
    openapi = "public",
    seed("acme-corp", "startup-a")
)]
async fn main(app: App) -> Result<()> {
    app.on_listen(|address| {
        for tenant in ["acme-corp", "startup-a"] {
            let header = format!("-H 'X-Tenant-ID: {tenant}'");
            println!("curl http://{address}/me {header}");
            println!("curl http://{address}/invoices {header}");
            println!("curl http://{address}/invoices {header} --json '{{\"number\": \"2026-001\", \"customer\": \"Ada\", \"cents\": 1250}}'");
        }
    })
    .serve()
    .await
}
