use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::result::DatabaseErrorKind;
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{OptionalExtension as _, QueryableByName};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use uuid::Uuid;

use super::locator::LocatorRow;
use super::search::{self, TenantFilter, TenantPage};
use super::{TenantRegistry, full, migrations, taken};
use crate::db::{Pool, Transaction};
use crate::error::{Error, Result};
use crate::http::HostName;
use crate::problem::Problem;
use crate::tenant::{Locator, Receipt, Slug, TenantId, TenantRecord, TenantStatus};

/// Tenants in the schema `tenancy` of the application's database.
///
/// The application role reads it and writes nothing; changes are the owner's.
#[derive(Debug, Clone)]
pub struct PostgresRegistry {
    app: Pool,
    owner: Option<Pool>,
}

const COLUMNS: &str = "id, slug, name, status, restores_to, strategy, schema_name, \
    database_host, database_port, database_name, database_logins, plan, features, overrides, \
    metadata, created_at";

impl PostgresRegistry {
    /// Reads through the application role's pool, and writes through the
    /// owner's where there is one.
    #[must_use]
    pub fn new(app: Pool, owner: Option<Pool>) -> Self {
        Self { app, owner }
    }

    fn owner(&self) -> Result<&Pool> {
        self.owner.as_ref().ok_or_else(Error::without_owner)
    }
}

#[async_trait]
impl TenantRegistry for PostgresRegistry {
    async fn prepare(&self, app_role: &str) -> Result<()> {
        match &self.owner {
            Some(owner) => migrations::run(owner, app_role).await,
            None => Ok(()),
        }
    }

    fn keeps_standby(&self) -> bool {
        true
    }

    fn notifies(&self) -> bool {
        true
    }

    fn keeps_secrets(&self) -> bool {
        true
    }

    fn keeps_domains(&self) -> bool {
        true
    }

    async fn find_by_domain(&self, domain: &HostName) -> Result<Option<TenantRecord>> {
        let of_domain = "id = (SELECT tenant_id FROM tenancy.domains \
             WHERE domain = $1 AND verified_at IS NOT NULL)";
        self.find_where(of_domain, domain.as_str()).await
    }

    async fn find(&self, slug: &Slug) -> Result<Option<TenantRecord>> {
        self.find_where("slug = $1", slug.as_str()).await
    }

    async fn list(&self, after: Option<&Slug>, limit: u32) -> Result<Vec<TenantRecord>> {
        // Byte order, whatever the database's collation: as `Slug` compares.
        let sql = format!(
            "SELECT {COLUMNS} FROM tenancy.tenants WHERE slug > $1 COLLATE \"C\" \
             ORDER BY slug COLLATE \"C\" LIMIT $2"
        );
        let query = diesel::sql_query(sql)
            .bind::<Text, _>(after.map_or_else(String::new, ToString::to_string))
            .bind::<BigInt, _>(i64::from(limit));
        let rows: Vec<Row> = self.app.read(query).await.map_err(unprepared)?;
        rows.into_iter().map(TenantRecord::try_from).collect()
    }

    async fn search(
        &self,
        filter: &TenantFilter,
        after: Option<&Slug>,
        limit: u32,
    ) -> Result<TenantPage> {
        #[derive(QueryableByName)]
        struct Found {
            #[diesel(embed)]
            tenant: Row,
            #[diesel(sql_type = BigInt)]
            looked_at: i64,
        }
        // The row with the count is the last that was looked at, found or not.
        let sql = format!(
            "WITH looked AS MATERIALIZED ( \
                 SELECT {COLUMNS} FROM tenancy.tenants WHERE slug > $1 COLLATE \"C\" \
                 ORDER BY slug COLLATE \"C\" LIMIT $2), \
             found AS ( \
                 SELECT * FROM looked \
                 WHERE ($3 IS NULL OR strpos(slug, lower($3)) > 0 \
                     OR strpos(lower(name), lower($3)) > 0) \
                 AND ($4 IS NULL OR status = $4) \
                 AND ($5 IS NULL OR plan = $5 OR ($6 AND plan IS NULL)) \
                 ORDER BY slug COLLATE \"C\" LIMIT $7) \
             SELECT {COLUMNS}, 0::bigint AS looked_at FROM found \
             UNION ALL (SELECT {COLUMNS}, (SELECT count(*) FROM looked) FROM looked \
                 ORDER BY slug COLLATE \"C\" DESC LIMIT 1)"
        );
        let query = diesel::sql_query(sql)
            .bind::<Text, _>(after.map_or_else(String::new, ToString::to_string))
            .bind::<BigInt, _>(i64::from(search::MOST_LOOKED_AT))
            .bind::<Nullable<Text>, _>(filter.search.clone())
            .bind::<Nullable<Text>, _>(filter.status.map(TenantStatus::as_str))
            .bind::<Nullable<Text>, _>(filter.plan.clone())
            .bind::<Bool, _>(filter.or_no_plan)
            .bind::<BigInt, _>(i64::from(limit));
        let rows: Vec<Found> = self.app.read(query).await.map_err(unprepared)?;
        let mut tenants = Vec::new();
        let mut last = None;
        for Found { tenant, looked_at } in rows {
            let tenant = TenantRecord::try_from(tenant)?;
            match looked_at {
                0 => tenants.push(tenant),
                _ => last = Some((tenant.slug, looked_at >= i64::from(search::MOST_LOOKED_AT))),
            }
        }
        tenants.sort_by(|one, other| one.slug.cmp(&other.slug));
        Ok(TenantPage::of(tenants, limit, last))
    }

    async fn insert(
        &self,
        tenant: &TenantRecord,
        max_tenants: Option<u32>,
        transaction: Option<&mut Transaction>,
    ) -> Result<()> {
        self.within(transaction, async |transaction| {
            insert(tenant, max_tenants, transaction).await
        })
        .await
    }

    async fn lock(
        &self,
        slug: &Slug,
        transaction: Option<&mut Transaction>,
    ) -> Result<Option<TenantRecord>> {
        let sql = format!("SELECT {COLUMNS} FROM tenancy.tenants WHERE slug = $1 FOR UPDATE");
        self.within(transaction, async |transaction| {
            let query = diesel::sql_query(sql).bind::<Text, _>(slug.as_str());
            let row: Option<Row> = query.get_result(transaction.conn()).await.optional()?;
            row.map(TenantRecord::try_from).transpose()
        })
        .await
    }

    async fn save(
        &self,
        tenant: &TenantRecord,
        transaction: Option<&mut Transaction>,
    ) -> Result<()> {
        self.within(transaction, async |transaction| {
            save(tenant, transaction).await
        })
        .await
    }

    async fn draft(&self, receipt: &Receipt, transaction: Option<&mut Transaction>) -> Result<()> {
        self.within(transaction, async |transaction| {
            keep(receipt, "NOTHING", transaction).await
        })
        .await
    }

    async fn remove(
        &self,
        id: TenantId,
        receipt: Option<&Receipt>,
        transaction: Option<&mut Transaction>,
    ) -> Result<()> {
        self.within(transaction, async |transaction| {
            remove(id, receipt, transaction).await
        })
        .await
    }

    async fn receipt(&self, slug: &Slug) -> Result<Option<Receipt>> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Jsonb)]
            receipt: serde_json::Value,
        }
        let query = diesel::sql_query(
            "SELECT receipt FROM tenancy.receipts r WHERE slug = $1 \
             AND NOT EXISTS (SELECT FROM tenancy.tenants t WHERE t.id = r.id) \
             ORDER BY destroyed_at DESC LIMIT 1",
        );
        let query = query.bind::<Text, _>(slug.as_str().to_owned());
        let rows: Vec<Row> = self.owner()?.read(query).await.map_err(unprepared)?;
        let row = rows.into_iter().next();
        row.map(|row| serde_json::from_value(row.receipt).map_err(Error::internal))
            .transpose()
    }
}

impl PostgresRegistry {
    /// The one tenant of which this holds for `$1`.
    async fn find_where(&self, holds: &str, value: &str) -> Result<Option<TenantRecord>> {
        let sql = format!("SELECT {COLUMNS} FROM tenancy.tenants WHERE {holds}");
        let query = diesel::sql_query(sql).bind::<Text, _>(value.to_owned());
        let rows: Vec<Row> = self.app.read(query).await.map_err(unprepared)?;
        let row = rows.into_iter().next();
        row.map(TenantRecord::try_from).transpose()
    }

    /// Runs `work` in the given transaction, or in one of its own.
    async fn within<T>(
        &self,
        transaction: Option<&mut Transaction>,
        work: impl AsyncFnOnce(&mut Transaction) -> Result<T>,
    ) -> Result<T> {
        if let Some(transaction) = transaction {
            return work(transaction).await.map_err(unprepared);
        }
        let mut transaction = self.owner()?.begin().await?;
        let value = work(&mut transaction).await.map_err(unprepared)?;
        transaction.commit().await?;
        Ok(value)
    }
}

/// In a database that this version of the application has not prepared, the
/// registry's tables or columns are not there, or not granted.
pub(crate) fn unprepared(error: Error) -> Error {
    let Error::Internal(cause) = &error else {
        return error;
    };
    let said = cause.to_string();
    let lacks = said.ends_with("does not exist")
        && ["relation \"tenancy.", "column \""]
            .iter()
            .any(|start| said.starts_with(start));
    if lacks || said.starts_with("permission denied for schema tenancy") {
        return Problem::new(
            "the registry of tenants",
            format!("is not as this version of the application makes it: {said}"),
            "run the subcommand `migrate` with TENANCY_OWNER_DATABASE_URL set",
        )
        .into();
    }
    error
}

async fn insert(
    tenant: &TenantRecord,
    max_tenants: Option<u32>,
    transaction: &mut Transaction,
) -> Result<()> {
    if max_tenants.is_some() {
        // Until the transaction has ended nobody else counts.
        let alone = "SELECT pg_advisory_xact_lock(hashtextextended('tenancy.max_tenants', 0))";
        transaction.conn().batch_execute(alone).await?;
    }
    let locator = tenant.locator.as_ref();
    let place = LocatorRow::of(
        locator
            .ok_or_else(|| Error::internal("a tenant in PostgreSQL has a place for its data"))?,
    );
    let features: Vec<&str> = tenant.features.iter().map(String::as_str).collect();
    let sql = format!(
        "INSERT INTO tenancy.tenants ({COLUMNS}) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
         ON CONFLICT (slug) DO NOTHING"
    );
    let inserted = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(tenant.id.as_uuid())
        .bind::<Text, _>(tenant.slug.as_str())
        .bind::<Text, _>(&tenant.name)
        .bind::<Text, _>(tenant.status.as_str())
        .bind::<Nullable<Text>, _>(tenant.restores_to.map(TenantStatus::as_str))
        .bind::<Text, _>(place.strategy)
        .bind::<Text, _>(place.schema_name)
        .bind::<Nullable<Text>, _>(place.database_host)
        .bind::<Nullable<Integer>, _>(place.database_port)
        .bind::<Nullable<Text>, _>(place.database_name)
        .bind::<Nullable<Integer>, _>(place.database_logins)
        .bind::<Nullable<Text>, _>(tenant.plan.as_deref())
        .bind::<Array<Text>, _>(features)
        .bind::<Jsonb, _>(json(&tenant.overrides)?)
        .bind::<Jsonb, _>(&*tenant.metadata)
        .bind::<Timestamptz, _>(tenant.created_at)
        .execute(transaction.conn())
        .await
        .map_err(|error| place_taken(error, tenant))?;
    if inserted == 0 {
        return Err(taken(&tenant.slug));
    }
    keep_keys(tenant, transaction).await?;
    match max_tenants {
        Some(max) if count(transaction).await? > i64::from(max) => Err(full(max)),
        _ => Ok(()),
    }
}

/// Names the place that two tenants would have.
fn place_taken(error: diesel::result::Error, tenant: &TenantRecord) -> Error {
    use diesel::result::Error as Diesel;
    let key = match &error {
        Diesel::DatabaseError(DatabaseErrorKind::UniqueViolation, violated) => {
            violated.constraint_name()
        }
        _ => None,
    };
    let key = key.filter(|key| migrations::OWN_PLACE.contains(key));
    let place = tenant.locator.as_ref().and_then(Locator::own_place);
    let Some((place, _)) = place.zip(key) else {
        return error.into();
    };
    Error::PlaceTaken(Problem::new(
        place,
        "is another tenant's already",
        format!("give the tenant `{}` a place of its own", tenant.slug),
    ))
}

async fn count(transaction: &mut Transaction) -> Result<i64> {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let count: Count = diesel::sql_query("SELECT count(*) AS count FROM tenancy.tenants")
        .get_result(transaction.conn())
        .await?;
    Ok(count.count)
}

/// Everything but what never changes: the id, the place and whether logins of its own
/// lead there, the time.
async fn save(tenant: &TenantRecord, transaction: &mut Transaction) -> Result<()> {
    let features: Vec<&str> = tenant.features.iter().map(String::as_str).collect();
    let logins = tenant.locator.as_ref().map(LocatorRow::of);
    let logins = logins.and_then(|place| place.database_logins);
    let saved = diesel::sql_query(
        "UPDATE tenancy.tenants SET slug = $2, name = $3, status = $4, restores_to = $5, \
         plan = $6, features = $7, overrides = $8, metadata = $9, database_logins = $10 \
         WHERE id = $1 AND (database_logins IS NULL) = ($10 IS NULL)",
    )
    .bind::<SqlUuid, _>(tenant.id.as_uuid())
    .bind::<Text, _>(tenant.slug.as_str())
    .bind::<Text, _>(&tenant.name)
    .bind::<Text, _>(tenant.status.as_str())
    .bind::<Nullable<Text>, _>(tenant.restores_to.map(TenantStatus::as_str))
    .bind::<Nullable<Text>, _>(tenant.plan.as_deref())
    .bind::<Array<Text>, _>(features)
    .bind::<Jsonb, _>(json(&tenant.overrides)?)
    .bind::<Jsonb, _>(&*tenant.metadata)
    .bind::<Nullable<Integer>, _>(logins)
    .execute(transaction.conn())
    .await;
    match saved {
        Ok(0) => Err(Error::NotFound),
        Ok(_) => keep_keys(tenant, transaction).await,
        // No other key can be hurt.
        Err(diesel::result::Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => {
            Err(taken(&tenant.slug))
        }
        Err(error) => Err(error.into()),
    }
}

/// Notes which keys the secrets in the metadata need, so that none of them is taken off
/// the list as long as they do.
async fn keep_keys(tenant: &TenantRecord, transaction: &mut Transaction) -> Result<()> {
    let keys: Vec<String> = tenant.metadata.keys().into_keys().collect();
    diesel::sql_query(
        "WITH gone AS (DELETE FROM tenancy.metadata_keys \
             WHERE tenant_id = $1 AND key_id <> ALL ($2)) \
         INSERT INTO tenancy.metadata_keys (tenant_id, key_id) \
         SELECT $1, key_id FROM unnest($2) AS key_id ON CONFLICT DO NOTHING",
    )
    .bind::<SqlUuid, _>(tenant.id.as_uuid())
    .bind::<Array<Text>, _>(keys)
    .execute(transaction.conn())
    .await
    .map_err(|error| match error {
        // Somebody took the key off the list in this very moment, and the next attempt
        // puts it there again.
        diesel::result::Error::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => {
            Error::unavailable(error)
        }
        error => error.into(),
    })?;
    Ok(())
}

async fn remove(
    id: TenantId,
    receipt: Option<&Receipt>,
    transaction: &mut Transaction,
) -> Result<()> {
    transaction.hold_to(id).await?;
    let secrets = diesel::sql_query("DELETE FROM tenancy.secrets WHERE tenant_id = $1")
        .bind::<SqlUuid, _>(id.as_uuid())
        .execute(transaction.conn())
        .await?;
    diesel::sql_query("DELETE FROM tenancy.tenants WHERE id = $1")
        .bind::<SqlUuid, _>(id.as_uuid())
        .execute(transaction.conn())
        .await?;
    let Some(receipt) = receipt else {
        return Ok(());
    };
    let receipt = &Receipt {
        secrets: secrets as u64,
        ..receipt.clone()
    };
    let finished = "UPDATE SET destroyed_at = EXCLUDED.destroyed_at, receipt = EXCLUDED.receipt \
         || jsonb_build_object('rows', tenancy.receipts.receipt -> 'rows')";
    keep(receipt, finished, transaction).await
}

/// Stores a receipt; `on_conflict` says what becomes of one that is there.
async fn keep(receipt: &Receipt, on_conflict: &str, transaction: &mut Transaction) -> Result<()> {
    let sql = format!(
        "INSERT INTO tenancy.receipts (id, slug, receipt, destroyed_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (id) DO {on_conflict}"
    );
    diesel::sql_query(sql)
        .bind::<SqlUuid, _>(receipt.id.as_uuid())
        .bind::<Text, _>(receipt.slug.as_str())
        .bind::<Jsonb, _>(json(receipt)?)
        .bind::<Timestamptz, _>(receipt.destroyed_at)
        .execute(transaction.conn())
        .await?;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(value).map_err(Error::internal)
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    slug: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = Nullable<Text>)]
    restores_to: Option<String>,
    #[diesel(embed)]
    place: LocatorRow,
    #[diesel(sql_type = Nullable<Text>)]
    plan: Option<String>,
    #[diesel(sql_type = Array<Text>)]
    features: Vec<String>,
    #[diesel(sql_type = Jsonb)]
    overrides: serde_json::Value,
    #[diesel(sql_type = Jsonb)]
    metadata: serde_json::Value,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
}

/// A stored tenant is checked again when it is read: the table can be written
/// by hand, and what is in it decides which schema a statement names.
impl TryFrom<Row> for TenantRecord {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let overrides = serde_json::from_value(row.overrides).map_err(|error| {
            Error::internal(Problem::new(
                format!("the tenant `{}` as it is stored", row.slug),
                format!("has `overrides` that are none: {error}"),
                "mend them in `tenancy.tenants`, as {\"feature\": {\"granted\": true}}",
            ))
        })?;
        let restores_to = row.restores_to.as_deref().map(str::parse).transpose();
        let id = TenantId::try_from(row.id).map_err(Error::internal)?;
        Ok(Self {
            id,
            slug: row.slug.parse::<Slug>().map_err(Error::internal)?,
            status: row.status.parse().map_err(Error::internal)?,
            restores_to: restores_to.map_err(Error::internal)?,
            locator: Some(row.place.locator(id)?),
            name: row.name,
            plan: row.plan,
            features: row.features.into_iter().collect::<BTreeSet<_>>(),
            overrides,
            metadata: row.metadata.into(),
            created_at: row.created_at,
        })
    }
}
