use async_trait::async_trait;

use super::{AuditEntry, table};
use crate::db::TenantConn;
use crate::error::Result;
use crate::model::ModelDef;
use crate::tenant::Tenant;

/// Where a trail is kept.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` keeps no trail",
    label = "implement `tenancy::audit::AuditSink` for it"
)]
pub trait AuditSink: Send + Sync + 'static {
    /// The table that it keeps in each tenant's place, if it does.
    fn table(&self) -> Option<&'static ModelDef> {
        None
    }

    /// Writes an entry of the tenant's, and has written it when this returns.
    ///
    /// `db` is a connection of the tenant's where its sink has a
    /// [`table`](Self::table), in the transaction of the change if it is in one.
    ///
    /// # Errors
    ///
    /// What keeps it from being written. Then the change must not be either.
    async fn write(
        &self,
        tenant: &Tenant,
        entry: &AuditEntry,
        db: Option<&mut TenantConn>,
    ) -> Result<()>;
}

/// Keeps the trail in a table of each tenant's own place, `tenancy_audit`, which
/// comes and goes with the tenant. The application's role may add to it and read
/// it, and neither change nor remove what is there; a start checks that.
#[derive(Debug, Clone, Copy, Default)]
pub struct DatabaseTrail;

#[async_trait]
impl AuditSink for DatabaseTrail {
    fn table(&self) -> Option<&'static ModelDef> {
        Some(&table::DEFINITION)
    }

    async fn write(
        &self,
        _: &Tenant,
        entry: &AuditEntry,
        db: Option<&mut TenantConn>,
    ) -> Result<()> {
        match db {
            Some(db) => table::write(entry, db).await,
            None => Err(crate::error::Error::internal(
                "a trail in the database needs a connection of the tenant's",
            )),
        }
    }
}

/// Hands the trail to the log, as events of the target `tenancy::audit`. It is kept
/// as well as the log is.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogTrail;

#[async_trait]
impl AuditSink for LogTrail {
    async fn write(
        &self,
        tenant: &Tenant,
        entry: &AuditEntry,
        _: Option<&mut TenantConn>,
    ) -> Result<()> {
        tracing::info!(
            target: "tenancy::audit",
            tenant = %tenant.id(), id = %entry.id, actor = entry.actor, action = entry.action,
            resource = entry.resource, outcome = entry.outcome, ip = entry.ip,
            user_agent = entry.user_agent, request_id = entry.request_id, detail = %entry.detail,
            "audit"
        );
        Ok(())
    }
}
