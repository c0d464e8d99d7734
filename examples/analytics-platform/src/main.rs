//! Analytics as a service: events come in singly or by the thousand, everybody of
//! the tenant who listens is told of them at once, and what they add up to is for
//! those who pay.

mod live;
mod metrics;
mod plan;

use serde::Serialize;
use serde_json::json;
use tenancy::openapi::JsonSchema;
use tenancy::prelude::*;

use plan::Plan;

tenancy::features! {
    /// What the events add up to.
    advanced_analytics,
}

/// Something that a user of the tenant's has done.
#[tenant_model(index(occurred_at))]
pub struct Event {
    /// The key.
    pub id: Uuid,
    /// What was done, such as `page_view`.
    pub event_type: String,
    /// By whom, in the tenant's own words.
    pub user_id: String,
    /// What else is known of it.
    #[column(default = "'{}'")]
    pub properties: Value,
    /// When; now, unless the client says.
    #[column(default = "now()")]
    pub occurred_at: DateTime<Utc>,
}

/// The most events that one request brings.
const BATCH: usize = 1_000;

/// The longest event, in bytes of JSON: it is told as well, and what is told has
/// 64 KiB at most.
const LONGEST: usize = 32 * 1024;

/// Before it is stored, so that nothing is which is refused.
fn check(new: &NewEvent) -> Result<()> {
    let told = json!([new.event_type, new.user_id, new.properties]).to_string();
    if told.len() > LONGEST {
        let problem = format!("an event has at most {LONGEST} bytes");
        return Err(Error::InvalidInput(problem));
    }
    Ok(())
}

#[tenant_handler(get, "/health", tenant = "none")]
async fn health() -> &'static str {
    "ok"
}

/// The latest events.
#[tenant_handler(get, "/events")]
async fn latest(mut db: TenantConn) -> Result<Json<Vec<Event>>> {
    let latest = Event::query().order(events::occurred_at.desc()).limit(50);
    Ok(Json(latest.load(&mut db).await?))
}

/// Takes one event.
#[tenant_handler(post, "/events", status = 201, rate_limit = "6000/min")]
async fn ingest(
    mut db: TenantConn,
    live: TenantEvents,
    Json(new): Json<NewEvent>,
) -> Result<(StatusCode, Json<Event>)> {
    check(&new)?;
    let event = new.insert(&mut db).await?;
    // After the commit: nobody hears of what is not there. And nobody waits for this
    // connection meanwhile.
    drop(db);
    live.publish("event", &event).await?;
    Ok((StatusCode::CREATED, Json(event)))
}

/// Takes many events, all or none, in one statement. Limits count requests: so
/// many small ones are limited, and 10,000 events a second in batches are not.
#[tenant_handler(post, "/events/batch", status = 201, rate_limit = "600/min")]
async fn ingest_batch(
    mut db: TenantConn,
    live: TenantEvents,
    Json(batch): Json<Vec<NewEvent>>,
) -> Result<(StatusCode, Json<Taken>)> {
    if batch.len() > BATCH {
        let problem = format!("{} events at once, and {BATCH} is the most", batch.len());
        return Err(Error::InvalidInput(problem));
    }
    batch.iter().try_for_each(check)?;
    let taken = Taken {
        events: diesel::insert_into(events::table)
            .values(batch)
            .execute(&mut db)
            .await?,
    };
    drop(db);
    // Told as one: who listens would be flooded, and can read the latest.
    live.publish("batch", &taken).await?;
    Ok((StatusCode::CREATED, Json(taken)))
}

/// What a batch has brought.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "tenancy::openapi::schemars")]
struct Taken {
    /// How many events are stored.
    events: usize,
}

#[tenancy::app(
    isolation = "schema",
    resolver = "header",
    // The one in front of the application says who may act for which tenant.
    membership = "gateway",
    plans = Plan,
    // Everybody who reaches the port registers tenants: for trying out. A real
    // application says "token", or has a guard of its own.
    admin = "open",
    openapi = "public",
    models(Event),
    routes(
        health,
        latest,
        ingest,
        ingest_batch,
        live::stream,
        live::socket,
        metrics::summary
    )
)]
async fn main(app: App) -> Result<()> {
    app.on_listen(|address| {
        let acme = "-H 'X-Tenant-ID: acme-corp'";
        let free = "-H 'X-Tenant-ID: free-user'";
        println!("curl http://{address}/admin/tenants --json '{{\"identifier\": \"acme-corp\", \"name\": \"Acme Corp\", \"plan\": \"pro\"}}'");
        println!("curl -N http://{address}/events/stream {acme}");
        println!("curl http://{address}/events {acme} --json '{{\"event_type\": \"page_view\", \"user_id\": \"u-123\", \"properties\": {{\"page\": \"/home\"}}}}'");
        println!("curl http://{address}/metrics/summary {acme}");
        println!("curl http://{address}/admin/tenants --json '{{\"identifier\": \"free-user\", \"name\": \"Free\", \"plan\": \"starter\"}}'");
        println!("curl http://{address}/metrics/summary {free}");
        println!("curl http://{address}/admin/tenants/bulk-suspend --json '[\"free-user\"]'");
        println!("websocat ws://{address}/ws {acme}");
        println!("http://{address}/docs");
    })
    .serve()
    .await
}
