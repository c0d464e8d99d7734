//! What a shop sells.

use bigdecimal::BigDecimal;
use serde_json::json;
use tenancy::prelude::*;

/// A product of a shop.
#[tenant_model(quota = "products")]
pub(super) struct Product {
    /// The key.
    pub id: i32,
    /// What it is called.
    pub name: String,
    /// What one costs.
    #[column(sql_type = "numeric(12, 2)")]
    pub price: BigDecimal,
    /// What the shop itself calls it.
    #[column(unique)]
    pub sku: String,
    /// How many there are.
    #[column(default = "0")]
    pub stock: i32,
}

/// All products.
#[tenant_handler(get, "/products")]
pub(super) async fn list(mut db: TenantConn) -> Result<Json<Vec<Product>>> {
    let all = Product::query().order(products::id);
    Ok(Json(all.load(&mut db).await?))
}

/// One product.
#[tenant_handler(get, "/products/{id}")]
pub(super) async fn show(mut db: TenantConn, Path(id): Path<i32>) -> Result<Json<Product>> {
    Ok(Json(Product::query().find(id).first(&mut db).await?))
}

/// Adds a product; the trail has it if the catalogue has.
#[tenant_handler(post, "/products")]
pub(super) async fn add(
    mut db: TenantConn,
    audit: Audit,
    Json(new): Json<NewProduct>,
) -> Result<(StatusCode, Json<Product>)> {
    let product = db.transaction(async |conn| {
        let product = new.insert(conn).await?;
        let event = AuditEvent::new("add", "product").detail(json!({ "id": product.id }));
        audit.record_in(conn, event).await?;
        Ok::<_, Error>(product)
    });
    Ok((StatusCode::CREATED, Json(product.await?)))
}

/// Changes a product: its price, its stock.
#[tenant_handler(patch, "/products/{id}")]
pub(super) async fn change(
    mut db: TenantConn,
    Path(id): Path<i32>,
    Json(changes): Json<ProductChanges>,
) -> Result<Json<Product>> {
    Ok(Json(changes.update(id, &mut db).await?))
}
