use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{TenantRegistry, migrations, taken};
use crate::db::{Pool, Transaction};
use crate::error::{Error, Result};
use crate::isolation::Strategy;
use crate::problem::Problem;
use crate::tenant::{Locator, Slug, TenantId, TenantRecord, TenantStatus};

/// Tenants in the schema `tenancy` of the application's database.
///
/// The application role reads it and writes nothing; changes are the owner's.
#[derive(Debug, Clone)]
pub struct PostgresRegistry {
    app: Pool,
    owner: Option<Pool>,
}

const COLUMNS: &str = "id, slug, name, status, strategy, schema_name, plan, features, created_at";

impl PostgresRegistry {
    /// Reads through the application role's pool, and writes through the
    /// owner's where there is one.
    #[must_use]
    pub fn new(app: Pool, owner: Option<Pool>) -> Self {
        Self { app, owner }
    }

    fn owner(&self) -> Result<&Pool> {
        self.owner.as_ref().ok_or_else(|| {
            Problem::new(
                "TENANCY_OWNER_DATABASE_URL",
                "is not set, and tenants are changed by the owner only",
                "set it to the owner's login",
            )
            .into()
        })
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

    async fn find(&self, slug: &Slug) -> Result<Option<TenantRecord>> {
        let sql = format!("SELECT {COLUMNS} FROM tenancy.tenants WHERE slug = $1");
        let query = diesel::sql_query(sql).bind::<Text, _>(slug.as_str().to_owned());
        let rows: Vec<Row> = self.app.read(query).await?;
        rows.into_iter()
            .next()
            .map(TenantRecord::try_from)
            .transpose()
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
        let rows: Vec<Row> = self.app.read(query).await?;
        rows.into_iter().map(TenantRecord::try_from).collect()
    }

    async fn insert(
        &self,
        tenant: &TenantRecord,
        transaction: Option<&mut Transaction>,
    ) -> Result<()> {
        match transaction {
            Some(transaction) => insert(tenant, transaction).await,
            None => {
                let mut transaction = self.owner()?.begin().await?;
                insert(tenant, &mut transaction).await?;
                transaction.commit().await
            }
        }
    }

    async fn set_status(&self, slug: &Slug, status: TenantStatus) -> Result<TenantRecord> {
        let mut transaction = self.owner()?.begin().await?;
        let sql =
            format!("UPDATE tenancy.tenants SET status = $2 WHERE slug = $1 RETURNING {COLUMNS}");
        let rows: Vec<Row> = diesel::sql_query(sql)
            .bind::<Text, _>(slug.as_str())
            .bind::<Text, _>(status.as_str())
            .load(transaction.conn())
            .await?;
        transaction.commit().await?;
        let row = rows.into_iter().next().ok_or(Error::NotFound)?;
        row.try_into()
    }
}

async fn insert(tenant: &TenantRecord, transaction: &mut Transaction) -> Result<()> {
    let (strategy, locator) = tenant
        .strategy()
        .zip(tenant.locator.as_ref())
        .ok_or_else(|| Error::internal("a tenant in PostgreSQL has a place for its data"))?;
    let features: Vec<&str> = tenant.features.iter().map(String::as_str).collect();
    let sql = format!(
        "INSERT INTO tenancy.tenants ({COLUMNS}) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (slug) DO NOTHING"
    );
    let inserted = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(tenant.id.as_uuid())
        .bind::<Text, _>(tenant.slug.as_str())
        .bind::<Text, _>(&tenant.name)
        .bind::<Text, _>(tenant.status.as_str())
        .bind::<Text, _>(strategy.as_str())
        .bind::<Text, _>(locator.schema().as_str())
        .bind::<Nullable<Text>, _>(tenant.plan.as_deref())
        .bind::<Array<Text>, _>(features)
        .bind::<Timestamptz, _>(tenant.created_at)
        .execute(transaction.conn())
        .await?;
    match inserted {
        0 => Err(taken(&tenant.slug)),
        _ => Ok(()),
    }
}

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    slug: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = Text)]
    strategy: String,
    #[diesel(sql_type = Text)]
    schema_name: String,
    #[diesel(sql_type = Nullable<Text>)]
    plan: Option<String>,
    #[diesel(sql_type = Array<Text>)]
    features: Vec<String>,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
}

/// A stored tenant is checked again when it is read: the table can be written
/// by hand, and what is in it decides which schema a statement names.
impl TryFrom<Row> for TenantRecord {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let schema = row.schema_name.parse().map_err(Error::internal)?;
        let locator = match row.strategy.parse().map_err(Error::internal)? {
            Strategy::Rls => Locator::Shared(schema),
            Strategy::Schema => Locator::Schema(schema),
        };
        Ok(Self {
            id: TenantId::try_from(row.id).map_err(Error::internal)?,
            slug: row
                .slug
                .parse()
                .map_err(|error: crate::tenant::InvalidSlug| Error::internal(error))?,
            name: row.name,
            status: row.status.parse().map_err(Error::internal)?,
            locator: Some(locator),
            plan: row.plan,
            features: row.features.into_iter().collect::<BTreeSet<_>>(),
            created_at: row.created_at,
        })
    }
}
