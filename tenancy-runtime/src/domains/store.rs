//! The table `tenancy.domains`, which the owner writes.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::result::{DatabaseErrorKind, Error as Diesel};
use diesel::sql_types::{Double, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension as _, QueryableByName};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Challenge, DomainName, TenantDomain};
use crate::db::Pool;
use crate::error::{Error, Result};
use crate::tenant::Slug;

/// The key that lets one tenant have a domain.
const ONE_HAS_IT: &str = "domains_verified";

const COLUMNS: &str = "d.tenant_id, t.slug, d.domain, d.token, d.claimed_at, d.verified_at, \
    d.proven_at, d.missing_since";

/// That one claim and none that has taken its place.
const THIS_CLAIM: &str = "d.tenant_id = $1 AND d.domain = $2 AND d.token = $3";

#[derive(Clone)]
pub(super) struct Store {
    owner: Option<Pool>,
}

/// A row of the table.
pub(super) struct Claim {
    tenant_id: Uuid,
    pub(super) tenant: Slug,
    token: String,
    pub(super) domain: TenantDomain,
}

impl Store {
    pub(super) fn new(owner: Option<Pool>) -> Self {
        Self { owner }
    }

    fn owner(&self) -> Result<&Pool> {
        self.owner.as_ref().ok_or_else(Error::without_owner)
    }

    /// What the tenant has of the domain from now on; `None` without such a tenant.
    pub(super) async fn claim(&self, tenant: &Slug, domain: &DomainName) -> Result<Option<Claim>> {
        // The update changes nothing, and has a claim that is there returned.
        let sql = format!(
            "WITH t AS (SELECT id, slug FROM tenancy.tenants WHERE slug = $1), d AS ( \
                 INSERT INTO tenancy.domains AS d (tenant_id, domain) SELECT id, $2 FROM t \
                 ON CONFLICT (tenant_id, domain) DO UPDATE SET domain = EXCLUDED.domain \
                 RETURNING d.*) \
             SELECT {COLUMNS} FROM d, t"
        );
        self.named(&sql, tenant, domain).await
    }

    pub(super) async fn find(&self, tenant: &Slug, domain: &DomainName) -> Result<Option<Claim>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM tenancy.domains d JOIN tenancy.tenants t ON t.id = d.tenant_id \
             WHERE t.slug = $1 AND d.domain = $2"
        );
        self.named(&sql, tenant, domain).await
    }

    pub(super) async fn remove(&self, tenant: &Slug, domain: &DomainName) -> Result<Option<Claim>> {
        let sql = format!(
            "DELETE FROM tenancy.domains d USING tenancy.tenants t \
             WHERE t.id = d.tenant_id AND t.slug = $1 AND d.domain = $2 RETURNING {COLUMNS}"
        );
        self.named(&sql, tenant, domain).await
    }

    async fn named(&self, sql: &str, tenant: &Slug, domain: &DomainName) -> Result<Option<Claim>> {
        let query = diesel::sql_query(sql)
            .bind::<Text, _>(tenant.as_str())
            .bind::<Text, _>(domain.as_str());
        let mut transaction = self.owner()?.begin().await?;
        let row: Option<Row> = query.get_result(transaction.conn()).await.optional()?;
        transaction.commit().await?;
        row.map(Claim::try_from).transpose()
    }

    pub(super) async fn list(&self, tenant: &Slug) -> Result<Vec<Claim>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM tenancy.domains d JOIN tenancy.tenants t ON t.id = d.tenant_id \
             WHERE t.slug = $1 ORDER BY d.domain COLLATE \"C\""
        );
        let query = diesel::sql_query(sql).bind::<Text, _>(tenant.to_string());
        let rows: Vec<Row> = self.owner()?.read(query).await?;
        rows.into_iter().map(Claim::try_from).collect()
    }

    /// Every domain that somebody has.
    pub(super) async fn verified(&self) -> Result<Vec<Claim>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM tenancy.domains d JOIN tenancy.tenants t ON t.id = d.tenant_id \
             WHERE d.verified_at IS NOT NULL ORDER BY d.proven_at"
        );
        let rows: Vec<Row> = self.owner()?.read(diesel::sql_query(sql)).await?;
        rows.into_iter().map(Claim::try_from).collect()
    }

    /// Gives the domain to whose claim it is; `None` if that is gone.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] when another has it.
    pub(super) async fn verify(&self, claim: &Claim) -> Result<Option<Claim>> {
        let sql = format!(
            "UPDATE tenancy.domains d \
             SET verified_at = coalesce(d.verified_at, now()), proven_at = now(), \
                 missing_since = NULL \
             FROM tenancy.tenants t WHERE t.id = d.tenant_id AND {THIS_CLAIM} RETURNING {COLUMNS}"
        );
        let query = claim.bound(sql);
        let mut transaction = self.owner()?.begin().await?;
        let row: Result<Option<Row>, Diesel> =
            query.get_result(transaction.conn()).await.optional();
        match row {
            Ok(row) => {
                transaction.commit().await?;
                row.map(Claim::try_from).transpose()
            }
            Err(error) => {
                transaction.rollback().await?;
                Err(taken(error, claim))
            }
        }
    }

    /// The proof was seen of a domain that is verified.
    pub(super) async fn proven(&self, claim: &Claim) -> Result<()> {
        let sql = format!(
            "UPDATE tenancy.domains d SET proven_at = now(), missing_since = NULL \
             WHERE {THIS_CLAIM} AND d.verified_at IS NOT NULL"
        );
        let query = claim.bound(sql);
        let mut transaction = self.owner()?.begin().await?;
        query.execute(transaction.conn()).await?;
        transaction.commit().await
    }

    /// The proof of a domain that is verified was not there: notes since when, and
    /// takes the domain away after `grace` of that. Whether it did.
    pub(super) async fn missing(&self, claim: &Claim, grace: Duration) -> Result<bool> {
        let gone = "coalesce(d.missing_since, now()) <= now() - make_interval(secs => $4)";
        let sql = format!(
            "UPDATE tenancy.domains d SET \
                 verified_at = CASE WHEN {gone} THEN NULL ELSE d.verified_at END, \
                 proven_at = CASE WHEN {gone} THEN NULL ELSE d.proven_at END, \
                 missing_since = CASE WHEN {gone} THEN NULL \
                     ELSE coalesce(d.missing_since, now()) END \
             FROM tenancy.tenants t WHERE t.id = d.tenant_id AND {THIS_CLAIM} \
             AND d.verified_at IS NOT NULL RETURNING {COLUMNS}"
        );
        let query = claim.bound(sql).bind::<Double, _>(grace.as_secs_f64());
        let mut transaction = self.owner()?.begin().await?;
        let row: Option<Row> = query.get_result(transaction.conn()).await.optional()?;
        transaction.commit().await?;
        Ok(row.is_some_and(|row| row.verified_at.is_none()))
    }
}

/// Only who has proved the domain learns that another has it.
fn taken(error: Diesel, claim: &Claim) -> Error {
    match &error {
        Diesel::DatabaseError(DatabaseErrorKind::UniqueViolation, violated)
            if violated.constraint_name() == Some(ONE_HAS_IT) =>
        {
            Error::Conflict(format!(
                "`{}` is another tenant's until that one removes it or its proof is gone for long",
                claim.domain.domain()
            ))
        }
        _ => error.into(),
    }
}

impl Claim {
    /// A statement about [`THIS_CLAIM`].
    fn bound(&self, sql: String) -> BoxedSqlQuery<'static, Pg, SqlQuery> {
        diesel::sql_query(sql)
            .into_boxed()
            .bind::<SqlUuid, _>(self.tenant_id)
            .bind::<Text, _>(self.domain.domain().to_string())
            .bind::<Text, _>(self.token.clone())
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    tenant_id: Uuid,
    #[diesel(sql_type = Text)]
    slug: String,
    #[diesel(sql_type = Text)]
    domain: String,
    #[diesel(sql_type = Text)]
    token: String,
    #[diesel(sql_type = Timestamptz)]
    claimed_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    verified_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    proven_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    missing_since: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for Claim {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let domain: DomainName = row.domain.parse().map_err(Error::internal)?;
        Ok(Self {
            tenant_id: row.tenant_id,
            tenant: row.slug.parse().map_err(Error::internal)?,
            domain: TenantDomain {
                challenge: Challenge::new(domain, &row.token),
                claimed_at: row.claimed_at,
                verified_at: row.verified_at,
                proven_at: row.proven_at,
                missing_since: row.missing_since,
            },
            token: row.token,
        })
    }
}
