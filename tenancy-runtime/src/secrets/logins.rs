//! Logins that tenants have of their own to their databases, each sealed for its
//! tenant and its role.
//!
//! They are not among a tenant's other secrets, which the application's role reads
//! and writes: these the owner writes, and the owner's own login to such a database
//! (`tenancy.owner_logins`) is for nobody else to read. So a process that serves, and
//! has no login of the owner's, has none to tenants' databases either.

use std::sync::Arc;

use async_trait::async_trait;
use diesel::QueryableByName;
use diesel::sql_types::{Binary, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use secrecy::{ExposeSecret as _, SecretString};

use super::store::gone;
use crate::db::{DatabaseLogin, LoginStore, Pool, TenantLogins, Transaction};
use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::registry::unprepared;
use crate::sealing::{About, KeyRing, LIST_KEY, Login, seal};
use crate::tenant::TenantId;

/// Reads and writes them.
pub(crate) struct KeptLogins {
    app: Pool,
    owner: Option<Pool>,
    ring: Arc<KeyRing>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    key_id: String,
    #[diesel(sql_type = Binary)]
    value: Vec<u8>,
}

impl Login {
    const BOTH: [Self; 2] = [Self::App, Self::Owner];

    fn table(self) -> &'static str {
        match self {
            Self::App => "tenancy.app_logins",
            Self::Owner => "tenancy.owner_logins",
        }
    }
}

impl KeptLogins {
    /// Read by `app`, or by `owner` where both are needed. The owner's is a pool of its
    /// own: who asks may hold connections of the other one.
    pub(crate) fn new(app: Pool, owner: Option<Pool>, ring: KeyRing) -> Self {
        let ring = Arc::new(ring);
        Self { app, owner, ring }
    }

    pub(super) fn ring(&self) -> &Arc<KeyRing> {
        &self.ring
    }

    async fn begin(&self, tenant: TenantId) -> Result<Transaction> {
        let owner = self.owner.as_ref().ok_or_else(Error::without_owner)?;
        let mut transaction = owner.begin().await?;
        transaction.hold_to(tenant).await?;
        Ok(transaction)
    }

    /// Seals a tenant's logins with the first key, if another has sealed them. Whether
    /// one has, or in words why they stay as they are.
    pub(super) async fn rotate(&self, tenant: TenantId) -> Result<Result<bool, Problem>> {
        let first = self.ring.encrypting().id();
        match self.of_app(tenant).await? {
            Some(row) if row.key_id != first && self.owner.is_none() => {
                return Ok(Err(Problem::new(
                    about(tenant),
                    format!("stays encrypted with the key `{}`", row.key_id),
                    "rotate with TENANCY_OWNER_DATABASE_URL set",
                )));
            }
            Some(row) if row.key_id != first => {}
            _ => return Ok(Ok(false)),
        }
        let mut transaction = self.begin(tenant).await?;
        let logins = self.locked(&mut transaction, tenant).await?;
        // There is none by now where the tenant was destroyed meanwhile.
        let found = !logins.is_empty();
        for (login, row) in logins {
            match self.opened(tenant, login, &row) {
                Ok(value) => self.put(&mut transaction, tenant, login, &value).await?,
                Err(problem) => {
                    transaction.rollback().await?;
                    return Ok(Err(problem));
                }
            }
        }
        transaction.commit().await?;
        Ok(Ok(found))
    }

    /// What those who serve may read.
    async fn of_app(&self, tenant: TenantId) -> Result<Option<Row>> {
        let mut conn = self.app.inside(tenant).await?;
        let query = diesel::sql_query(select(Login::App)).bind::<SqlUuid, _>(tenant.as_uuid());
        let rows: Result<Vec<Row>, _> = RunQueryDsl::load(query, &mut conn).await;
        let rows = rows.map_err(|error| unprepared(error.into()))?;
        Ok(rows.into_iter().next())
    }

    /// What is kept for a tenant, which nobody else changes until the transaction has
    /// ended.
    async fn locked(
        &self,
        transaction: &mut Transaction,
        tenant: TenantId,
    ) -> Result<Vec<(Login, Row)>> {
        let mut logins = Vec::new();
        for login in Login::BOTH {
            let sql = format!("{} FOR UPDATE", select(login));
            let query = diesel::sql_query(sql).bind::<SqlUuid, _>(tenant.as_uuid());
            let rows: Vec<Row> = query.load(transaction.conn()).await?;
            logins.extend(rows.into_iter().map(|row| (login, row)));
        }
        Ok(logins)
    }

    async fn put(
        &self,
        transaction: &mut Transaction,
        tenant: TenantId,
        login: Login,
        value: &SecretString,
    ) -> Result<()> {
        let key = self.ring.encrypting();
        let value = value.expose_secret().as_bytes();
        let sql = format!(
            "WITH listed AS ({LIST_KEY}) INSERT INTO {} (tenant_id, key_id, value) VALUES ($3, $1, $4) \
             ON CONFLICT (tenant_id) DO UPDATE SET key_id = EXCLUDED.key_id, \
             value = EXCLUDED.value",
            login.table()
        );
        let query = diesel::sql_query(sql)
            .bind::<Text, _>(key.id())
            .bind::<Binary, _>(seal(key, About::Key, b""))
            .bind::<SqlUuid, _>(tenant.as_uuid())
            .bind::<Binary, _>(seal(key, About::Login(tenant, login), value));
        query.execute(transaction.conn()).await.map_err(gone)?;
        Ok(())
    }

    fn opened(&self, tenant: TenantId, login: Login, row: &Row) -> Result<SecretString, Problem> {
        let opened = self
            .ring
            .open(&row.key_id, About::Login(tenant, login), &row.value);
        opened.map_err(|unopened| unopened.problem(about(tenant), login.table()))
    }

    fn read(&self, tenant: TenantId, login: Login, row: Option<&Row>) -> Result<DatabaseLogin> {
        let problem = |wrong: String| {
            let remedy = "set it anew with the subcommand `tenants set-logins`";
            Error::internal(Problem::new(about(tenant), wrong, remedy))
        };
        let row = row.ok_or_else(|| problem(format!("is not in {}", login.table())))?;
        let template = self.opened(tenant, login, row).map_err(Error::internal)?;
        DatabaseLogin::from_template(&template).map_err(problem)
    }
}

fn about(tenant: TenantId) -> String {
    format!("the login to the database of the tenant {tenant}")
}

#[async_trait]
impl LoginStore for KeptLogins {
    async fn app(&self, tenant: TenantId) -> Result<DatabaseLogin> {
        let row = self.of_app(tenant).await?;
        self.read(tenant, Login::App, row.as_ref())
    }

    async fn both(&self, tenant: TenantId) -> Result<TenantLogins> {
        let mut transaction = self.begin(tenant).await?;
        let logins = self.locked(&mut transaction, tenant).await?;
        transaction.commit().await?;
        let of = |wanted: Login| {
            let row = logins.iter().find(|(login, _)| *login == wanted);
            self.read(tenant, wanted, row.map(|(_, row)| row))
        };
        Ok(TenantLogins::of(of(Login::App)?, Some(of(Login::Owner)?)))
    }

    async fn keep(
        &self,
        transaction: &mut Transaction,
        tenant: TenantId,
        logins: &TenantLogins,
    ) -> Result<()> {
        let owner = logins.owner.as_ref().ok_or_else(Error::without_owner)?;
        transaction.hold_to(tenant).await?;
        for (login, kept) in [(Login::App, &logins.app), (Login::Owner, owner)] {
            self.put(transaction, tenant, login, kept.template())
                .await?;
        }
        Ok(())
    }
}

fn select(login: Login) -> String {
    format!(
        "SELECT key_id, value FROM {} WHERE tenant_id = $1",
        login.table()
    )
}
