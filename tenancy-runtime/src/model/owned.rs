//! A row that knows its tenant, so that it names no row of another.
//!
//! A plain row is data: nothing in it says where it was read. With UUID keys
//! that is harmless, as a foreign key finds nothing; but two dedicated schemas
//! both have a row 1, and the key of one tenant's row, used with the connection
//! of another, changes the wrong row without an error. Code with one connection
//! cannot get there. Code with two (a job that goes through the tenants, a
//! cache) keeps its rows as [`Owned`], and what takes a key takes `&row`.
//!
//! Why it is checked at run time. A brand, a lifetime of its own for each
//! connection that its rows carry (as `GhostCell` does it), would let the
//! compiler refuse the mixture. But a brand exists only inside of a closure that
//! is generic over it, whereas axum calls a handler with extractors of one type
//! for all tenants; it would stand in the type of every model, of what is made
//! of it, and of every signature in between; and it ends where rows of two
//! tenants meet in practice, in spawned jobs, channels and caches, which ask for
//! `'static`. Comparing two ids costs nothing beside a statement, works there
//! too, and happens before the statement is sent.
//!
//! What the compiler does is to leave no way around that looks like a way: a
//! plain row is not a key ([`IntoKey`]), and a tenant's model is not
//! `diesel::Identifiable`, so that `diesel::update(&row)` does not compile. A
//! key itself (`row.id`, or one from a request's path) stays a plain value:
//! whoever takes it out of its row says that it is meant as a number.

use std::fmt;
use std::ops::Deref;

use diesel_async::RunQueryDsl as _;
use diesel_async::methods::LoadQuery;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::{Serialize, Serializer};

use super::TenantModel;
use crate::db::TenantConn;
use crate::error::{Error, Result};
use crate::tenant::Tenant;

/// A row, and the tenant it was read for.
///
/// `Todo::find` and `NewTodo::insert_owned` give one, [`load`](Self::load) and
/// [`one`](Self::one) make them of what any statement returns; there is no other
/// way to get one. It reads, prints and serializes like the row. Where a
/// function takes the key of a row it takes `&row` as well and refuses it with
/// [`Error::WrongTenant`] on a connection of another tenant, before anything is
/// sent.
#[derive(Clone)]
pub struct Owned<M> {
    row: M,
    tenant: Tenant,
}

impl<M: TenantModel + Send> Owned<M> {
    /// Runs a statement that returns rows: a query, or what ends in `returning`.
    ///
    /// # Errors
    ///
    /// Those of the statement.
    pub fn load<'conn, 'query, Statement>(
        statement: Statement,
        db: &'conn mut TenantConn,
    ) -> BoxFuture<'conn, Result<Vec<Self>>>
    where
        Statement: LoadQuery<'query, TenantConn, M> + Send + 'query,
        'query: 'conn,
    {
        async move {
            let tenant = db.tenant()?.clone();
            let rows = statement.load(db).await?;
            let owned = rows.into_iter().map(|row| Self {
                row,
                tenant: tenant.clone(),
            });
            Ok(owned.collect())
        }
        .boxed()
    }

    /// Runs a statement that returns one row.
    ///
    /// # Errors
    ///
    /// Not found when it returns none, and those of the statement.
    pub fn one<'conn, 'query, Statement>(
        statement: Statement,
        db: &'conn mut TenantConn,
    ) -> BoxFuture<'conn, Result<Self>>
    where
        Statement: LoadQuery<'query, TenantConn, M> + Send + 'query,
        'query: 'conn,
    {
        async move {
            let tenant = db.tenant()?.clone();
            let row = statement.get_result(db).await?;
            Ok(Self { row, tenant })
        }
        .boxed()
    }
}

impl<M: Keyed> Owned<M> {
    /// The row's key, for a row of the same tenant that is to refer to it:
    /// `NewTodo { project_id: project.key_for(&db)?, … }`.
    ///
    /// # Errors
    ///
    /// [`Error::WrongTenant`] if the connection is another tenant's.
    pub fn key_for(&self, db: &TenantConn) -> Result<M::Key> {
        let connection = db.tenant()?;
        if self.tenant.id() == connection.id() {
            return Ok(self.row.key());
        }
        Err(Error::WrongTenant {
            row: self.tenant.clone(),
            connection: connection.clone(),
        })
    }
}

impl<M> Owned<M> {
    /// The row alone, which no longer knows its tenant.
    pub fn into_inner(self) -> M {
        self.row
    }
}

impl<M> Deref for Owned<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.row
    }
}

impl<M: fmt::Debug> fmt::Debug for Owned<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.row.fmt(f)
    }
}

impl<M: Serialize> Serialize for Owned<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.row.serialize(serializer)
    }
}

/// A tenant's model whose rows have a key to name them by.
pub trait Keyed: TenantModel {
    /// The primary key's type; a tuple if it has several columns.
    type Key;

    /// The row's key.
    fn key(&self) -> Self::Key;
}

/// What names a row of `M` to a connection: its key, which is taken at its
/// word, or an [`Owned`] row of the connection's tenant.
///
/// Each model implements it for the type of its key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name a row of `{M}`",
    label = "expected its key, or `&row` where `row` is an `Owned<{M}>`",
    note = "a plain row does not know its tenant; `{M}::find`, `insert_owned` and `Owned::load` give rows that do"
)]
pub trait IntoKey<M: Keyed> {
    /// The key, if it may be used with this connection.
    ///
    /// # Errors
    ///
    /// [`Error::WrongTenant`] for a row of another tenant.
    fn into_key(self, db: &TenantConn) -> Result<M::Key>;
}

impl<M: Keyed> IntoKey<M> for &Owned<M> {
    fn into_key(self, db: &TenantConn) -> Result<M::Key> {
        self.key_for(db)
    }
}
