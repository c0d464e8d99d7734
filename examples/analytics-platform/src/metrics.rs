//! What the events add up to.

use chrono::TimeDelta;
use diesel::Queryable;
use diesel::dsl::{count, count_star};
use serde::Serialize;
use tenancy::openapi::JsonSchema;
use tenancy::prelude::*;

use crate::events;

/// The last 24 hours of a tenant.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "tenancy::openapi::schemars")]
pub(super) struct Summary {
    /// From when on.
    since: DateTime<Utc>,
    /// How many events.
    events: i64,
    /// Of how many users.
    users: i64,
    /// The ten most frequent types.
    top: Vec<Count>,
}

/// How often there was an event of one type.
#[derive(Queryable, Serialize, JsonSchema)]
#[schemars(crate = "tenancy::openapi::schemars")]
pub(super) struct Count {
    event_type: String,
    events: i64,
}

/// What the last 24 hours add up to, for plans that have it.
#[tenant_handler(get, "/metrics/summary", feature = "advanced_analytics")]
pub(super) async fn summary(mut db: TenantConn) -> Result<Json<Summary>> {
    let since = Utc::now() - TimeDelta::hours(24);
    let recent = events::table.filter(events::occurred_at.ge(since));
    let (events, users) = recent
        .select((count_star(), count(events::user_id).aggregate_distinct()))
        .get_result(&mut db)
        .await?;
    let top = recent
        .group_by(events::event_type)
        .select((events::event_type, count_star()))
        .order((count_star().desc(), events::event_type))
        .limit(10)
        .load(&mut db)
        .await?;
    Ok(Json(Summary {
        since,
        events,
        users,
        top,
    }))
}
