//! Shops that share nothing but the program: each has a database of its own, made
//! when it is registered, and stands in the path of its requests.

mod catalogue;
mod checkout;
mod onboarding;
mod plan;

use serde::Deserialize;
use tenancy::audit::AuditEntry;
use tenancy::prelude::*;

use catalogue::Product;
use checkout::{Order, OrderLine};
use onboarding::Page;
use plan::Plan;

tenancy::features! {
    /// What was sold, by product.
    sales_report,
}

tenancy::quotas! {
    /// Products in the catalogue.
    products,
}

#[tenant_handler(get, "/health", tenant = "none")]
async fn health() -> &'static str {
    "ok"
}

/// The last entry of the ones before.
#[derive(Deserialize)]
struct Before {
    before: Option<Uuid>,
}

/// What has been done in the shop, the latest first.
#[tenant_handler(get, "/audit")]
async fn trail(mut db: TenantConn, Query(seen): Query<Before>) -> Result<Json<Vec<AuditEntry>>> {
    Ok(Json(AuditEntry::page(&mut db, seen.before, 50).await?))
}

#[tenancy::app(
    isolation = "database",
    resolver = "path",
    prefix = "/t",
    // The one in front of the application says who may act for which shop.
    membership = "gateway",
    plans = Plan,
    audit = "database",
    // Everybody who reaches the port registers tenants: for trying out. A real
    // application says "token", or has a guard of its own.
    admin = "open",
    models(Product, Order, OrderLine, Page),
    routes(
        health,
        trail,
        onboarding::list_pages,
        catalogue::list,
        catalogue::show,
        catalogue::add,
        catalogue::change,
        checkout::list,
        checkout::show,
        checkout::place,
        checkout::sales
    )
)]
async fn main(app: App) -> Result<()> {
    app.onboarding(onboarding::welcome).on_listen(|address| {
        let tenants = format!("curl http://{address}/admin/tenants");
        let acme = format!("curl http://{address}/t/acme-corp");
        println!("{tenants} --json '{{\"identifier\": \"acme-corp\", \"name\": \"Acme Corp\", \"plan\": \"enterprise\"}}'");
        println!("{acme}/products --json '{{\"name\": \"Widget Pro\", \"price\": 29.99, \"sku\": \"WGT-001\", \"stock\": 50}}'");
        println!("{acme}/orders --json '{{\"customer_email\": \"alice@example.com\", \"product_ids\": [1]}}'");
        println!("{acme}/orders");
        println!("curl -X POST http://{address}/admin/tenants/acme-corp/suspend");
        println!("{acme}/orders");
    })
    .serve()
    .await
}
