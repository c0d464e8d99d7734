//! What a tenant uses, and what was done in it.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::RunQueryDsl as _;

use super::desk::Admin;
use super::messages::{QuotaUsage, TableUsage, TenantUsage, TrailPage, TrailQuery, page_size};
use crate::audit::AuditEntry;
use crate::db::TenantConn;
use crate::error::{Error, Result};
use crate::http::{Json, Path, Query};
use crate::tenant::{Locator, SchemaName, Slug};

/// Says how much a tenant uses of its quotas, and what its tables take.
pub(super) async fn usage(
    admin: Admin,
    Path(slug): Path<Slug>,
) -> Result<(StatusCode, Json<TenantUsage>)> {
    let tenant = admin.tenant(&slug).await?;
    let mut usage = TenantUsage {
        quotas: BTreeMap::new(),
        tables: None,
        plan: admin.provisioner().plan_of(&tenant)?,
        identifier: slug,
    };
    if let Some(mut conn) = admin.conn(&tenant).await? {
        if admin.provisioner().counts() {
            usage.quotas = quotas(&mut conn).await?;
        }
        if let Some(Locator::Schema(own) | Locator::Database(_, own)) = &tenant.locator {
            usage.tables = Some(tables(&mut conn, own).await?);
        }
    }
    Ok((StatusCode::OK, Json(usage)))
}

async fn quotas(conn: &mut TenantConn) -> Result<BTreeMap<String, QuotaUsage>> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        quota: String,
        #[diesel(sql_type = BigInt)]
        used: i64,
        #[diesel(sql_type = Nullable<BigInt>)]
        most: Option<i64>,
    }
    let query = "SELECT quota, used, most FROM \"tenant\".tenancy_quotas";
    let rows: Vec<Row> = diesel::sql_query(query).load(conn).await?;
    let usage = |row: Row| {
        let (used, limit) = (row.used, row.most);
        (row.quota, QuotaUsage { used, limit })
    };
    Ok(rows.into_iter().map(usage).collect())
}

/// Without a look into a table: what PostgreSQL knows of them.
async fn tables(conn: &mut TenantConn, own: &SchemaName) -> Result<BTreeMap<String, TableUsage>> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = Nullable<BigInt>)]
        estimated_rows: Option<i64>,
        #[diesel(sql_type = BigInt)]
        bytes: i64,
    }
    let query = "SELECT c.relname::text AS name, \
         CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END AS estimated_rows, \
         coalesce(pg_catalog.pg_total_relation_size(c.oid), 0) AS bytes \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1 AND c.relkind IN ('r', 'p')";
    let query = diesel::sql_query(query).bind::<Text, _>(own.to_string());
    let rows: Vec<Row> = query.load(conn).await?;
    let usage = |row: Row| {
        let (estimated_rows, bytes) = (row.estimated_rows, row.bytes);
        let usage = TableUsage {
            estimated_rows,
            bytes,
        };
        (row.name, usage)
    };
    Ok(rows.into_iter().map(usage).collect())
}

/// Lists what was done in a tenant, the newest first. What it keeps of its people is
/// seen by an operator here, and so that leaves a trace as a change does.
pub(super) async fn audit(
    admin: Admin,
    Path(slug): Path<Slug>,
    Query(query): Query<TrailQuery>,
) -> Result<(StatusCode, Json<TrailPage>)> {
    let limit = page_size(query.limit)?;
    let reader = admin.clone();
    let read = async move |_, tenant| {
        let conn = reader.conn(&tenant).await?;
        let mut conn = conn.ok_or_else(|| Error::internal("a trail without a database"))?;
        AuditEntry::page(&mut conn, query.before, limit + 1).await
    };
    let mut entries = admin.on_tenant("read the trail of", slug, read).await?;
    let more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let next = entries.last().filter(|_| more).map(|last| last.id);
    Ok((StatusCode::OK, Json(TrailPage { entries, next })))
}
