use std::collections::BTreeMap;
use std::sync::Arc;

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Binary, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use secrecy::{ExposeSecret as _, SecretString};

use super::name::SecretName;
use crate::db::Pool;
use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::registry::unprepared;
use crate::sealing::{About, KeyRing, LIST_KEY, Unopened, seal};
use crate::tenant::{Slug, TenantId};

/// The rows of one tenant. Each method is one statement, and so all or nothing
/// wherever its caller is dropped.
#[derive(Clone)]
pub(super) struct Store {
    pub(super) app: Pool,
    pub(super) ring: Arc<KeyRing>,
    pub(super) tenant: TenantId,
    pub(super) slug: Slug,
}

/// A stored secret.
#[derive(QueryableByName)]
pub(super) struct Row {
    #[diesel(sql_type = Text)]
    pub(super) name: String,
    #[diesel(sql_type = Text)]
    pub(super) key_id: String,
    #[diesel(sql_type = Binary)]
    pub(super) value: Vec<u8>,
}

impl Store {
    pub(super) async fn find(&self, name: &SecretName) -> Result<Option<Row>> {
        let query = diesel::sql_query(
            "SELECT name, key_id, value FROM tenancy.secrets WHERE tenant_id = $1 AND name = $2",
        )
        .bind::<SqlUuid, _>(self.tenant.as_uuid())
        .bind::<Text, _>(name.as_str().to_owned());
        let rows: Vec<Row> = self.load(query).await?;
        Ok(rows.into_iter().next())
    }

    pub(super) async fn names(&self) -> Result<Vec<String>> {
        #[derive(QueryableByName)]
        struct Named {
            #[diesel(sql_type = Text)]
            name: String,
        }
        let query = diesel::sql_query(
            "SELECT name FROM tenancy.secrets WHERE tenant_id = $1 ORDER BY name COLLATE \"C\"",
        )
        .bind::<SqlUuid, _>(self.tenant.as_uuid());
        let rows: Vec<Named> = self.load(query).await?;
        Ok(rows.into_iter().map(|row| row.name).collect())
    }

    pub(super) async fn put(&self, name: &SecretName, value: &SecretString) -> Result<()> {
        let key = self.ring.encrypting();
        let sql = format!(
            "WITH listed AS ({LIST_KEY}) INSERT INTO tenancy.secrets (tenant_id, name, key_id, value) \
             VALUES ($3, $4, $1, $5) ON CONFLICT (tenant_id, name) DO UPDATE \
             SET key_id = EXCLUDED.key_id, value = EXCLUDED.value, updated_at = now()"
        );
        let query = diesel::sql_query(sql)
            .bind::<Text, _>(key.id().to_owned())
            .bind::<Binary, _>(seal(key, About::Key, b""))
            .bind::<SqlUuid, _>(self.tenant.as_uuid())
            .bind::<Text, _>(name.as_str().to_owned())
            .bind::<Binary, _>(self.sealed(name, value));
        let mut conn = self.app.inside(self.tenant).await?;
        query.execute(&mut conn).await.map_err(gone)?;
        Ok(())
    }

    pub(super) async fn delete(&self, name: &SecretName) -> Result<bool> {
        let query =
            diesel::sql_query("DELETE FROM tenancy.secrets WHERE tenant_id = $1 AND name = $2")
                .bind::<SqlUuid, _>(self.tenant.as_uuid())
                .bind::<Text, _>(name.as_str().to_owned());
        let mut conn = self.app.inside(self.tenant).await?;
        let deleted = query.execute(&mut conn).await.map_err(Error::from);
        Ok(deleted.map_err(unprepared)? > 0)
    }

    /// How many secrets each key has encrypted; logins that a tenant has of its own are
    /// one.
    pub(super) async fn keys(&self) -> Result<BTreeMap<String, u64>> {
        #[derive(QueryableByName)]
        struct Used {
            #[diesel(sql_type = Text)]
            key_id: String,
            #[diesel(sql_type = BigInt)]
            secrets: i64,
        }
        let query = diesel::sql_query(
            "SELECT key_id, count(*) AS secrets FROM ( \
                 SELECT key_id FROM tenancy.secrets WHERE tenant_id = $1 \
                 UNION ALL SELECT key_id FROM tenancy.app_logins WHERE tenant_id = $1) used \
             GROUP BY key_id",
        )
        .bind::<SqlUuid, _>(self.tenant.as_uuid());
        let rows: Vec<Used> = self.load(query).await?;
        let used = rows.into_iter();
        Ok(used
            .map(|row| (row.key_id, u64::try_from(row.secrets).unwrap_or_default()))
            .collect())
    }

    /// At most `limit` secrets of other keys than the first, in the order of their
    /// names, after `after`.
    pub(super) async fn of_other_keys(&self, after: &str, limit: u32) -> Result<Vec<Row>> {
        let query = diesel::sql_query(
            "SELECT name, key_id, value FROM tenancy.secrets WHERE tenant_id = $1 \
             AND key_id <> $2 AND name > $3 COLLATE \"C\" ORDER BY name COLLATE \"C\" LIMIT $4",
        )
        .bind::<SqlUuid, _>(self.tenant.as_uuid())
        .bind::<Text, _>(self.ring.encrypting().id().to_owned())
        .bind::<Text, _>(after.to_owned())
        .bind::<BigInt, _>(i64::from(limit));
        self.load(query).await
    }

    /// Puts secrets that were sealed anew in the place of those that are there, but
    /// where somebody has changed them meanwhile.
    pub(super) async fn replace(&self, rows: Vec<(Row, Vec<u8>)>) -> Result<u64> {
        let key = self.ring.encrypting();
        let sql = format!(
            "WITH listed AS ({LIST_KEY}) UPDATE tenancy.secrets s SET key_id = $1, value = n.sealed \
             FROM unnest($4, $5, $6) AS n(name, was, sealed) \
             WHERE s.tenant_id = $3 AND s.name = n.name AND s.value = n.was"
        );
        let (mut names, mut were, mut sealed) = (Vec::new(), Vec::new(), Vec::new());
        for (row, anew) in rows {
            names.push(row.name);
            were.push(row.value);
            sealed.push(anew);
        }
        let query = diesel::sql_query(sql)
            .bind::<Text, _>(key.id().to_owned())
            .bind::<Binary, _>(seal(key, About::Key, b""))
            .bind::<SqlUuid, _>(self.tenant.as_uuid())
            .bind::<Array<Text>, _>(names)
            .bind::<Array<Binary>, _>(were)
            .bind::<Array<Binary>, _>(sealed);
        let mut conn = self.app.inside(self.tenant).await?;
        Ok(query.execute(&mut conn).await.map_err(gone)? as u64)
    }

    /// A value as the first key seals it.
    pub(super) fn sealed(&self, name: &SecretName, value: &SecretString) -> Vec<u8> {
        let about = About::Secret(self.tenant, name.as_str());
        seal(
            self.ring.encrypting(),
            about,
            value.expose_secret().as_bytes(),
        )
    }

    /// What a row holds, or in words for the log why that cannot be said.
    pub(super) fn opened(&self, row: &Row) -> Result<SecretString, Problem> {
        let Row {
            name,
            key_id,
            value,
        } = row;
        let opened = match SecretName::parse(name) {
            Ok(name) => self
                .ring
                .open(key_id, About::Secret(self.tenant, name.as_str()), value),
            Err(_) => Err(Unopened::Changed(key_id.clone())),
        };
        opened.map_err(|unopened| {
            let about = format!("the secret `{name}` of the tenant `{}`", self.slug);
            unopened.problem(about, "tenancy.secrets")
        })
    }

    /// Reads rows on a connection that is held to the tenant.
    async fn load<'query, T, Q>(&self, query: Q) -> Result<Vec<T>>
    where
        Q: diesel_async::methods::LoadQuery<'query, crate::db::TenantConn, T> + Send + 'query,
        T: Send + 'query,
    {
        let mut conn = self.app.inside(self.tenant).await?;
        let rows = RunQueryDsl::load(query, &mut conn).await;
        rows.map_err(|error| unprepared(error.into()))
    }
}

/// Who was admitted just before the tenant was destroyed keeps nothing for it.
pub(super) fn gone(error: diesel::result::Error) -> Error {
    use diesel::result::{DatabaseErrorKind, Error as Diesel};
    match &error {
        Diesel::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, violated) => {
            match violated.constraint_name() {
                Some(
                    "secrets_tenant_id_fkey"
                    | "app_logins_tenant_id_fkey"
                    | "owner_logins_tenant_id_fkey",
                ) => Error::TenantInactive,
                // Somebody took the key off the list in this very moment, and the next
                // attempt puts it there again.
                _ => Error::unavailable(error),
            }
        }
        _ => unprepared(error.into()),
    }
}
