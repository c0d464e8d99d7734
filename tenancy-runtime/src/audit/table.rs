use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::AuditEntry;
use crate::db::TenantConn;
use crate::error::Result;
use crate::model::{Audience, ColumnDef, KeyDef, ModelDef};

diesel::table! {
    tenant.tenancy_audit (id) {
        id -> Uuid,
        at -> Timestamptz,
        actor -> Text,
        action -> Text,
        resource -> Text,
        outcome -> Text,
        ip -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        request_id -> Nullable<Text>,
        detail -> Jsonb,
    }
}

const fn nullable(name: &'static str) -> ColumnDef {
    ColumnDef {
        nullable: true,
        ..ColumnDef::new(name, "text")
    }
}

/// The trail's table, in each tenant's place like the tables of models. Processes
/// have clocks of their own, so the order of entries is by PostgreSQL's.
pub(super) static DEFINITION: ModelDef = ModelDef {
    name: "AuditEntry",
    table: "tenancy_audit",
    audience: Audience::Tenant,
    migrated: false,
    append_only: true,
    read_only: false,
    quota: None,
    columns: &[
        ColumnDef::new("id", "uuid"),
        ColumnDef {
            default: Some("clock_timestamp()"),
            ..ColumnDef::new("at", "timestamptz")
        },
        ColumnDef::new("actor", "text"),
        ColumnDef::new("action", "text"),
        ColumnDef::new("resource", "text"),
        ColumnDef::new("outcome", "text"),
        nullable("ip"),
        nullable("user_agent"),
        nullable("request_id"),
        ColumnDef::new("detail", "jsonb"),
    ],
    primary_key: &["id"],
    uniques: &[],
    indexes: &[KeyDef {
        name: "tenancy_audit_at_id_idx",
        columns: &["at", "id"],
    }],
    references: &[],
};

pub(super) async fn write(entry: &AuditEntry, db: &mut TenantConn) -> Result<()> {
    use tenancy_audit::dsl;

    diesel::insert_into(dsl::tenancy_audit)
        .values((
            dsl::id.eq(entry.id),
            dsl::actor.eq(&entry.actor),
            dsl::action.eq(&entry.action),
            dsl::resource.eq(&entry.resource),
            dsl::outcome.eq(&entry.outcome),
            dsl::ip.eq(&entry.ip),
            dsl::user_agent.eq(&entry.user_agent),
            dsl::request_id.eq(&entry.request_id),
            dsl::detail.eq(&entry.detail),
        ))
        .execute(db)
        .await?;
    Ok(())
}

/// Which entries come after one of them, the newest first. The time of two may be
/// the same.
const OLDER: &str =
    "(at, id) < (SELECT last.at, last.id FROM \"tenant\".tenancy_audit AS last WHERE last.id = ";

impl AuditEntry {
    /// The tenant's newest entries that are older than `before`, the newest first:
    /// page by page, each with the id of the last one before it. At most 1000; none
    /// where the tenant has no entry of the id `before`.
    ///
    /// The order is that in which PostgreSQL wrote them, whichever process they come
    /// from, and no entry changes its place. One whose transaction is still under
    /// way is not seen yet: who has read past its time finds it by a new start from
    /// the newest.
    ///
    /// # Errors
    ///
    /// Those of the statement; the table is there where a
    /// [`DatabaseTrail`](super::DatabaseTrail) is the sink.
    pub async fn page(db: &mut TenantConn, before: Option<Uuid>, limit: u32) -> Result<Vec<Self>> {
        use diesel::sql_types::{Bool, Uuid as SqlUuid};
        use tenancy_audit::dsl;

        const MOST: u32 = 1_000;
        let mut entries = dsl::tenancy_audit
            .order((dsl::at.desc(), dsl::id.desc()))
            .limit(i64::from(limit.min(MOST)))
            .into_boxed();
        if let Some(before) = before {
            let older = diesel::dsl::sql::<Bool>(OLDER).bind::<SqlUuid, _>(before);
            entries = entries.filter(older.sql(")"));
        }
        Ok(entries.load(db).await?)
    }
}
