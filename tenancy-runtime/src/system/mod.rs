//! Work across tenants: on a role of its own, for a reason, and never without a
//! trace.
//!
//! [`SystemAccess`] is had from the application, not from a tenant: nothing
//! leads from a [`Tenant`](crate::tenant::Tenant) or its connections to it.
//! There are two ways to work:
//!
//! [`run`](SystemAccess::run) lends a [`SystemConn`], which sees the rows of all
//! tenants in the shared tables, because its role has BYPASSRLS: the one way
//! past forced row-level security that PostgreSQL knows. The audit row is the
//! first statement of the same transaction, and the work stands behind a
//! savepoint: work that fails is undone and the trace of it stays.
//!
//! [`for_each_tenant`](SystemAccess::for_each_tenant) works on one tenant at a
//! time, and for that the power of the system role would be too much: policies
//! do not hold it, so a statement without a condition would change everybody's
//! rows. Each tenant's work therefore gets an ordinary
//! [`TenantConn`](crate::db::TenantConn) of the *application's* role, which is
//! held to the tenant by the same means as a request, in every layout. Only the
//! trace is written by the system role. Two roles cannot share a transaction,
//! so here the trace is committed before the work begins.
//!
//! An access leaves two rows in `tenancy.system_access`: `begun` before its
//! work, and `done` or `failed` after it. A `begun` alone was cut off. The system
//! role may add rows and neither read, change nor remove them.

mod each;
mod extract;
mod trail;

use crate::db::{Pool, SystemConn, TenantPool};
use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::provision::Provisioner;

pub use each::Progress;
pub(crate) use extract::Configured;
pub(crate) use trail::{Access, Event, check_actor, grant, verify};

/// Access to the data of all tenants. Cheap to clone; from
/// [`Tenancy::system`](crate::app::Tenancy::system), and an extractor on routes
/// with `tenant = "none"`: put them behind a check of your own.
///
/// ```
/// use diesel_async::RunQueryDsl;
/// use tenancy_runtime::error::Result;
/// use tenancy_runtime::system::SystemAccess;
///
/// /// Forgets what is older than the law allows to keep.
/// async fn forget(system: &SystemAccess, operator: &str) -> Result<usize> {
///     system
///         .run(operator, "retention: 10 years", async |conn| {
///             let sql = "DELETE FROM \"tenant\".todos WHERE done_at < now() - interval '10 years'";
///             Ok(diesel::sql_query(sql).execute(conn).await?)
///         })
///         .await
/// }
/// ```
#[derive(Clone)]
pub struct SystemAccess {
    system: Pool,
    tenants: TenantPool,
    provisioner: Provisioner,
}

impl SystemAccess {
    pub(crate) fn new(system: Pool, tenants: TenantPool, provisioner: Provisioner) -> Self {
        Self {
            system,
            tenants,
            provisioner,
        }
    }

    /// Runs `work` on the rows of all tenants in the shared tables, in one
    /// transaction whose first statement says who works and why.
    ///
    /// If `work` succeeds, everything is committed. If it fails, what it did is
    /// undone and the trace is committed with the event `failed`. Dropped half
    /// way, its connection is closed and PostgreSQL rolls all of it back; that
    /// the access began is in the log.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidInput`] for an actor or a reason that is blank, too long
    /// or has control characters in it, [`Error::Unavailable`] without a
    /// connection, and those of `work` and of the database.
    pub async fn run<T>(
        &self,
        actor: &str,
        reason: &str,
        work: impl AsyncFnOnce(&mut SystemConn) -> Result<T>,
    ) -> Result<T> {
        let access = Access::new(actor, reason)?;
        let mut conn = SystemConn::begin(&self.system, self.tenants.shared_schema()).await?;
        access.record(conn.trail(), Event::Begun).await?;
        conn.begin_work().await?;
        let outcome = match work(&mut conn).await {
            Ok(value) => conn.keep_work().await.map(|()| value).map_err(Error::from),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(value) => {
                access.record(conn.trail(), Event::Done).await?;
                conn.commit().await?;
                Ok(value)
            }
            Err(error) => {
                if let Err(lost) = fail(conn, &access).await {
                    access.lost(&lost);
                }
                Err(error)
            }
        }
    }
}

/// Undoes the work and keeps its trace.
async fn fail(mut conn: SystemConn, access: &Access<'_>) -> Result<()> {
    conn.undo_work().await?;
    access.record(conn.trail(), Event::Failed).await?;
    Ok(conn.commit().await?)
}

/// Why there is no system access.
pub(crate) fn not_configured() -> Error {
    Problem::new(
        "TENANCY_SYSTEM_DATABASE_URL",
        "is not set, and work across tenants goes through a role of its own",
        "set it to the system role's login, and run the subcommand `migrate`",
    )
    .into()
}

impl std::fmt::Debug for SystemAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SystemAccess").finish_non_exhaustive()
    }
}
