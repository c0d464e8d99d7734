//! What the generated functions of models call: one statement each, and the
//! answer in our own error.

use diesel::OptionalEmptyChangesetExtension as _;
use diesel_async::RunQueryDsl;
use diesel_async::methods::{ExecuteDsl, LoadQuery};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Deserializer};

use crate::db::TenantConn;
use crate::error::{Error, Result};

/// Runs an `INSERT … RETURNING` of one row.
///
/// # Errors
///
/// Those of the statement.
pub fn insert<'conn, 'query, Statement, M>(
    statement: Statement,
    db: &'conn mut TenantConn,
) -> BoxFuture<'conn, Result<M>>
where
    Statement: LoadQuery<'query, TenantConn, M> + Send + 'query,
    M: Send + 'query,
    'query: 'conn,
{
    async move { Ok(RunQueryDsl::get_result(statement, db).await?) }.boxed()
}

/// Runs an `UPDATE … RETURNING` of one row; reads it where nothing changes.
///
/// # Errors
///
/// Not found when there is no such row, and those of the statement.
pub fn update<'conn, 'query, Changed, Unchanged, M>(
    changed: Changed,
    unchanged: Unchanged,
    db: &'conn mut TenantConn,
) -> BoxFuture<'conn, Result<M>>
where
    Changed: LoadQuery<'query, TenantConn, M> + Send + 'query,
    Unchanged: LoadQuery<'query, TenantConn, M> + Send + 'query,
    M: Send + 'query,
    'query: 'conn,
{
    async move {
        // Diesel refuses an `UPDATE` that sets nothing; a `PATCH` with `{}` is fine.
        let row = RunQueryDsl::get_result(changed, db)
            .await
            .optional_empty_changeset()?;
        match row {
            Some(row) => Ok(row),
            None => Ok(RunQueryDsl::get_result(unchanged, db).await?),
        }
    }
    .boxed()
}

/// Runs a `DELETE` of one row.
///
/// # Errors
///
/// Not found when there is no such row, and those of the statement.
pub fn delete<'conn, 'query, Statement>(
    statement: Statement,
    db: &'conn mut TenantConn,
) -> BoxFuture<'conn, Result<()>>
where
    Statement: ExecuteDsl<TenantConn> + Send + 'query,
    'query: 'conn,
{
    async move {
        match RunQueryDsl::execute(statement, db).await? {
            0 => Err(Error::from(diesel::result::Error::NotFound)),
            _ => Ok(()),
        }
    }
    .boxed()
}

/// Tells a field that is `null` from one that is missing.
///
/// # Errors
///
/// Those of the value.
pub fn present<'de, T, D>(deserializer: D) -> std::result::Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}
