//! What a shop has sold.

use std::collections::BTreeMap;

use bigdecimal::BigDecimal;
use diesel::Queryable;
use diesel::dsl::sum;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tenancy::prelude::*;

use crate::catalogue::{Product, products};

/// What somebody has bought.
#[tenant_model]
pub(super) struct Order {
    /// The key.
    pub id: i32,
    /// Who.
    pub customer_email: String,
    /// For how much.
    #[column(sql_type = "numeric(12, 2)")]
    pub total: BigDecimal,
    /// When.
    #[column(default = "now()")]
    pub placed_at: DateTime<Utc>,
}

/// One product of an order.
#[tenant_model]
pub(super) struct OrderLine {
    /// The key.
    pub id: i32,
    /// Which order.
    #[column(references = Order, index)]
    pub order_id: i32,
    /// Which product.
    #[column(references = Product, index)]
    pub product_id: i32,
    /// How many of it.
    pub quantity: i32,
    /// What one cost on that day.
    #[column(sql_type = "numeric(12, 2)")]
    pub price: BigDecimal,
}

/// What a customer sends: a product that is named twice is bought twice.
#[derive(Deserialize)]
pub(super) struct Cart {
    customer_email: String,
    product_ids: Vec<i32>,
}

/// The most pieces that one order has.
const PIECES: usize = 100;

/// Places an order: takes what it needs from the stock, or nothing.
#[tenant_handler(post, "/orders", rate_limit = "600/min")]
pub(super) async fn place(
    mut db: TenantConn,
    audit: Audit,
    Json(cart): Json<Cart>,
) -> Result<(StatusCode, Json<Order>)> {
    if !(1..=PIECES).contains(&cart.product_ids.len()) {
        let problem = format!("an order has 1 to {PIECES} products");
        return Err(Error::InvalidInput(problem));
    }
    // In the order of their keys: two orders for the same products do not wait for
    // each other in a circle.
    let mut pieces = BTreeMap::new();
    for id in cart.product_ids {
        *pieces.entry(id).or_insert(0) += 1;
    }
    let order = db.transaction(async |conn| {
        let mut bought = Vec::new();
        for (&id, &quantity) in &pieces {
            bought.push((take(id, quantity, conn).await?, quantity));
        }
        let total = bought
            .iter()
            .map(|(product, quantity)| &product.price * BigDecimal::from(*quantity));
        let order = NewOrder {
            id: None,
            customer_email: cart.customer_email,
            total: total.sum(),
            placed_at: None,
        };
        let order = order.insert(conn).await?;
        let lines = bought.into_iter().map(|(product, quantity)| NewOrderLine {
            id: None,
            order_id: order.id,
            product_id: product.id,
            quantity,
            price: product.price,
        });
        let lines: Vec<_> = lines.collect();
        diesel::insert_into(order_lines::table)
            .values(lines)
            .execute(conn)
            .await?;
        let event = AuditEvent::new("place", "order").detail(json!({ "id": order.id }));
        audit.record_in(conn, event).await?;
        Ok::<_, Error>(order)
    });
    Ok((StatusCode::CREATED, Json(order.await?)))
}

/// Takes `quantity` of a product from the stock. It is one statement, so the last
/// piece is sold once.
async fn take(id: i32, quantity: i32, conn: &mut TenantConn) -> Result<Product> {
    let enough = products::id.eq(id).and(products::stock.ge(quantity));
    let taken = diesel::update(products::table.filter(enough))
        .set(products::stock.eq(products::stock - quantity))
        .returning(Product::as_returning())
        .get_result(conn)
        .await
        .optional()?;
    taken.ok_or_else(|| Error::Conflict(format!("there are not {quantity} of product {id}")))
}

/// The latest orders.
#[tenant_handler(get, "/orders")]
pub(super) async fn list(mut db: TenantConn) -> Result<Json<Vec<Order>>> {
    let latest = Order::query().order(orders::id.desc()).limit(50);
    Ok(Json(latest.load(&mut db).await?))
}

/// An order and what was bought.
#[derive(Serialize)]
pub(super) struct Receipt {
    #[serde(flatten)]
    order: Order,
    lines: Vec<OrderLine>,
}

/// One order.
#[tenant_handler(get, "/orders/{id}")]
pub(super) async fn show(mut db: TenantConn, Path(id): Path<i32>) -> Result<Json<Receipt>> {
    let order = Order::query().find(id).first(&mut db).await?;
    let lines = OrderLine::query().filter(order_lines::order_id.eq(id));
    let lines = lines.order(order_lines::product_id).load(&mut db).await?;
    Ok(Json(Receipt { order, lines }))
}

/// How many pieces of one product were sold.
#[derive(Queryable, Serialize)]
pub(super) struct Sales {
    product: String,
    pieces: Option<i64>,
}

/// What sells best, for plans that have it.
#[tenant_handler(get, "/reports/sales", feature = "sales_report")]
pub(super) async fn sales(mut db: TenantConn) -> Result<Json<Vec<Sales>>> {
    let best = order_lines::table
        .inner_join(products::table)
        .group_by((products::id, products::name))
        .select((products::name, sum(order_lines::quantity)))
        .order((sum(order_lines::quantity).desc(), products::id))
        .limit(20);
    Ok(Json(best.load(&mut db).await?))
}
