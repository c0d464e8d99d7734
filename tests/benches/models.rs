//! The ten tables of a tenant: each with a primary key, most with unique keys,
//! indexes and foreign keys.

use tenancy::model::{Model, ModelDef};
use tenancy::prelude::*;
use tenancy::{Isolation, Strategy};

/// Somebody who buys.
#[tenant_model]
pub struct Customer {
    /// The key.
    pub id: Uuid,
    /// Unique for the tenant.
    #[column(unique)]
    pub email: String,
    /// In full.
    pub name: String,
    /// When it came.
    #[column(default = "now()", index)]
    pub created_at: DateTime<Utc>,
}

/// Where goods go.
#[tenant_model]
pub struct Address {
    /// The key.
    pub id: Uuid,
    /// Whose it is.
    #[column(references = Customer, index)]
    pub customer_id: Uuid,
    /// As written on the parcel.
    pub street: String,
    /// The same.
    pub city: String,
}

/// What groups products.
#[tenant_model]
pub struct Category {
    /// The key.
    pub id: Uuid,
    /// Unique for the tenant.
    #[column(unique)]
    pub name: String,
}

/// What is sold.
#[tenant_model]
pub struct Product {
    /// The key.
    pub id: Uuid,
    /// Unique for the tenant.
    #[column(unique)]
    pub sku: String,
    /// For people.
    pub name: String,
    /// In cents.
    pub price: i64,
    /// Where it is listed.
    #[column(references = Category, index)]
    pub category_id: Uuid,
}

/// How much is there.
#[tenant_model]
pub struct Stock {
    /// The key.
    pub id: Uuid,
    /// Of what.
    #[column(references = Product, unique)]
    pub product_id: Uuid,
    /// How many.
    pub quantity: i32,
}

/// What a customer wants.
#[tenant_model(table = "orders", index(customer_id, placed_at))]
pub struct Order {
    /// The key.
    pub id: Uuid,
    /// Who ordered.
    #[column(references = Customer)]
    pub customer_id: Uuid,
    /// Where it goes.
    #[column(references = Address)]
    pub address_id: Option<Uuid>,
    /// When.
    #[column(default = "now()")]
    pub placed_at: DateTime<Utc>,
}

/// One product of an order.
#[tenant_model(unique(order_id, product_id))]
pub struct Line {
    /// The key.
    pub id: Uuid,
    /// Of which order.
    #[column(references = Order)]
    pub order_id: Uuid,
    /// Which product.
    #[column(references = Product, index)]
    pub product_id: Uuid,
    /// How many.
    pub quantity: i32,
}

/// What is to be paid.
#[tenant_model]
pub struct Invoice {
    /// The key.
    pub id: Uuid,
    /// Unique for the tenant.
    #[column(unique)]
    pub number: String,
    /// For what.
    #[column(references = Order, index)]
    pub order_id: Uuid,
    /// In cents.
    pub total: i64,
}

/// What was paid.
#[tenant_model]
pub struct Payment {
    /// The key.
    pub id: Uuid,
    /// For what.
    #[column(references = Invoice, index)]
    pub invoice_id: Uuid,
    /// In cents.
    pub amount: i64,
    /// When.
    #[column(default = "now()")]
    pub paid_at: DateTime<Utc>,
}

/// What is read in the benchmarks.
#[tenant_model]
pub struct Note {
    /// The key.
    pub id: i64,
    /// Some text.
    pub text: String,
    /// Whether it is done.
    #[column(default = "false", index)]
    pub done: bool,
}

/// The definitions of all.
pub(crate) fn all() -> Vec<&'static ModelDef> {
    vec![
        Customer::definition(),
        Address::definition(),
        Category::definition(),
        Product::definition(),
        Stock::definition(),
        Order::definition(),
        Line::definition(),
        Invoice::definition(),
        Payment::definition(),
        Note::definition(),
    ]
}

/// An application with these tables. Tenants name their strategy, or share tables.
pub(crate) fn app() -> App {
    App::new("bench", "1.0.0")
        .membership(tenancy::admit::Gateway)
        .isolation(Isolation::single(Strategy::Rls))
        .model::<Customer>()
        .model::<Address>()
        .model::<Category>()
        .model::<Product>()
        .model::<Stock>()
        .model::<Order>()
        .model::<Line>()
        .model::<Invoice>()
        .model::<Payment>()
        .model::<Note>()
}

/// A tenant that is kept apart in this way.
pub(crate) fn new(slug: &str, strategy: Strategy) -> NewTenant {
    NewTenant::new(slug).expect("a slug").strategy(strategy)
}

/// The rows that each reads.
pub(crate) const ROWS: i64 = 10;

/// Gives a tenant its rows.
pub(crate) async fn fill(db: &TenantDb) {
    let mut conn = db.conn().await.expect("a connection");
    let rows = (1..=ROWS).map(|id| (notes::id.eq(id), notes::text.eq("something to read")));
    diesel::insert_into(notes::table)
        .values(rows.collect::<Vec<_>>())
        .execute(&mut conn)
        .await
        .expect("rows");
}

/// Reads a tenant's rows.
pub(crate) async fn read(db: &TenantDb) {
    let mut conn = db.conn().await.expect("a connection");
    let query = Note::query().order(notes::id).limit(ROWS);
    let rows: Vec<Note> = query.load(&mut conn).await.expect("rows");
    assert_eq!(rows.len(), 10);
}
