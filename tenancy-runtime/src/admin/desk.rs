use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::trace::Trace;
use super::{Operator, OperatorGuard, Works};
use crate::db::{TenantConn, TenantPool};
use crate::error::{Error, Result};
use crate::provision::Provisioner;
use crate::resolve::TenantHosts;
use crate::tenant::{Slug, TenantId, TenantRecord, TenantStatus};

/// What operators' routes work with.
pub(crate) struct Desk {
    pub(super) guard: Arc<dyn OperatorGuard>,
    pub(super) provisioner: Provisioner,
    /// The data of tenants, if there is any.
    pub(super) tenants: Option<TenantPool>,
    pub(super) trace: Trace,
    /// Where there is none of it.
    pub(super) hosts: TenantHosts,
    pub(super) works: Works,
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

    /// Does `work` on the tenant that has this name now, with a trace of it: on nobody
    /// who gets the name meanwhile. Goes on when the caller is gone, so that no trace is
    /// left without its end.
    pub(super) async fn on_tenant<T, W>(
        self,
        verb: &'static str,
        slug: Slug,
        work: impl FnOnce(Provisioner, TenantRecord) -> W + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        W: Future<Output = Result<T>> + Send + 'static,
    {
        self.can_change()?;
        let tenant = self.tenant(&slug).await?;
        let works = self.desk.works.clone();
        let work = Box::pin(async move {
            let reason = format!("{verb} {slug}");
            let (id, provisioner) = (tenant.id, self.provisioner().only(tenant.id));
            let work = Box::pin(work(provisioner, tenant));
            let (trace, operator) = (&self.desk.trace, &self.operator);
            trace
                .around(operator, &reason, Some(id), |_| None, work)
                .await
        });
        works.detached(work).await
    }

    /// Registers somebody, with a trace of it, as above.
    pub(super) async fn registering(
        self,
        slug: Slug,
        work: BoxFuture<'static, Result<TenantRecord>>,
    ) -> Result<TenantRecord> {
        self.can_change()?;
        let works = self.desk.works.clone();
        let work = Box::pin(async move {
            let reason = format!("create {slug}");
            let made: fn(&TenantRecord) -> Option<TenantId> = |record| Some(record.id);
            let (trace, operator) = (&self.desk.trace, &self.operator);
            trace.around(operator, &reason, None, made, work).await
        });
        works.detached(work).await
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
