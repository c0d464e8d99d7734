use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::trace::Trace;
use super::{Operator, OperatorGuard};
use crate::db::{TenantConn, TenantPool};
use crate::error::{Error, Result};
use crate::provision::Provisioner;
use crate::tenant::{Slug, TenantId, TenantRecord, TenantStatus};

/// What operators' routes work with.
pub(crate) struct Desk {
    pub(super) guard: Arc<dyn OperatorGuard>,
    pub(super) provisioner: Provisioner,
    /// The data of tenants, if there is any.
    pub(super) tenants: Option<TenantPool>,
    pub(super) trace: Trace,
}

/// The desk, and who has been let to it. An extractor behind the guard only.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(super) desk: Arc<Desk>,
    pub(super) operator: Operator,
}

impl Admin {
    pub(super) fn provisioner(&self) -> &Provisioner {
        &self.desk.provisioner
    }

    /// The tenant of this name, as it is stored now.
    pub(super) async fn tenant(&self, slug: &Slug) -> Result<TenantRecord> {
        let found = self.provisioner().find(slug).await?;
        found.ok_or(Error::NotFound)
    }

    /// Refuses before anything is tried what this process cannot do.
    pub(super) fn can_change(&self) -> Result<()> {
        if self.provisioner().can_change() {
            return Ok(());
        }
        Err(Error::ReadOnly)
    }

    /// Does `work` on a tenant, with a trace of it. Goes on when the caller is gone,
    /// so that no trace is left without its end.
    pub(super) async fn on_tenant<T, W>(
        self,
        verb: &'static str,
        slug: Slug,
        work: impl FnOnce(Provisioner, Slug) -> W + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        W: Future<Output = Result<T>> + Send + 'static,
    {
        self.can_change()?;
        let tenant = self.tenant(&slug).await?.id;
        detached(Box::pin(async move {
            let reason = format!("{verb} {slug}");
            let work = Box::pin(work(self.provisioner().clone(), slug));
            let (trace, operator) = (&self.desk.trace, &self.operator);
            trace
                .around(operator, &reason, Some(tenant), |_| None, work)
                .await
        }))
        .await
    }

    /// Registers somebody, with a trace of it, as above.
    pub(super) async fn registering(
        self,
        slug: Slug,
        work: BoxFuture<'static, Result<TenantRecord>>,
    ) -> Result<TenantRecord> {
        self.can_change()?;
        detached(Box::pin(async move {
            let reason = format!("create {slug}");
            let made: fn(&TenantRecord) -> Option<TenantId> = |record| Some(record.id);
            let (trace, operator) = (&self.desk.trace, &self.operator);
            trace.around(operator, &reason, None, made, work).await
        }))
        .await
    }

    /// A connection of a tenant, whatever its status, that is held to its data like
    /// those of its requests.
    pub(super) async fn conn(&self, tenant: &TenantRecord) -> Result<Option<TenantConn>> {
        let Some(tenants) = &self.desk.tenants else {
            return Ok(None);
        };
        match tenant.status {
            TenantStatus::Provisioning | TenantStatus::Destroying => {
                Err(tenant.refuse("looked into"))
            }
            TenantStatus::Active | TenantStatus::Suspended | TenantStatus::Deleted => {
                Ok(Some(tenants.of_record(tenant)?.conn().await?))
            }
        }
    }
}

/// Work that goes on when its caller is dropped. In a box: what lies under it is deeper
/// than the compiler likes to look.
pub(super) async fn detached<T: Send + 'static>(work: BoxFuture<'static, Result<T>>) -> Result<T> {
    tokio::spawn(work).await.map_err(Error::internal)?
}
