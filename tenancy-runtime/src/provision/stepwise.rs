//! A database is made in steps, of which any may be the last that its maker lives to
//! take: the entry first, as `provisioning`, and the rest under its lock. Whoever comes
//! next goes on from there.

use super::{Provisioner, detached, patiently};
use crate::db::TenantLogins;
use crate::error::{Error, Result};
use crate::tenant::{Locator, TenantRecord, TenantStatus};

impl Provisioner {
    /// The entry, then the database with its tables; from the first step on it is
    /// nobody's to interrupt.
    pub(super) async fn provision_database(
        &self,
        record: TenantRecord,
        logins: Option<TenantLogins>,
    ) -> Result<TenantRecord> {
        let this = self.clone();
        detached(async move {
            let entry = provisioning(&record);
            match this.enter_at_once(&entry, logins.as_ref()).await {
                Ok(()) => this.finish_or_undo(&record).await,
                Err(error @ Error::Conflict(_)) => {
                    let there = this.registry.find(&record.slug).await?;
                    let half_made =
                        |there: &TenantRecord| there.status == TenantStatus::Provisioning;
                    // It is finished for whom it was begun, not for this caller.
                    if let Some(there) = there.filter(half_made) {
                        this.finish(&there).await?;
                    }
                    Err(error)
                }
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Finishes a tenant whose entry was made just now; if that fails, nothing of
    /// it stays.
    async fn finish_or_undo(&self, record: &TenantRecord) -> Result<TenantRecord> {
        let finished = self.finish(record).await;
        if let Err(cause) = &finished
            && let Err(error) = self.undo(record).await
        {
            tracing::error!(
                tenant = %record.slug, %cause, %error,
                "half-made, and could not be undone: the next start goes on with it"
            );
        }
        finished
    }

    /// Makes what a tenant that is `provisioning` lacks, and lets it in; or waits for
    /// whoever does so already.
    async fn finish(&self, entry: &TenantRecord) -> Result<TenantRecord> {
        let Some((_, tables)) = &self.data else {
            return Err(Error::internal("a tenant without a place is not half-made"));
        };
        let tables = &tables.of(entry).await?;
        let mut transaction = tables.owner()?.begin().await?;
        let locked = self
            .registry
            .lock(&entry.slug, Some(&mut transaction))
            .await?;
        let Some(mut record) = locked.filter(|locked| locked.id == entry.id) else {
            transaction.rollback().await?;
            return Err(Error::Conflict(format!(
                "the tenant `{}` could not be provisioned by another process; try again",
                entry.slug
            )));
        };
        let Some(Locator::Database(address, schema)) = record.locator.clone() else {
            return Err(Error::internal("only a database is made step by step"));
        };
        if record.status != TenantStatus::Provisioning {
            // Somebody else has finished it while we waited for the lock, and has
            // begun its onboarding.
            transaction.commit().await?;
            self.changed(&record.slug).await;
            return Ok(record);
        }
        let made = async {
            tables
                .make_database(&mut transaction, &address, &schema)
                .await?;
            if address.own_logins().is_some() {
                // The deployment's roles were proved at its start, and these never.
                tables.databases()?.prove(&address, &schema).await?;
            }
            self.limit_new(&mut transaction, &record).await
        };
        patiently(&address, made).await?;
        record.provisioned()?;
        self.registry.save(&record, Some(&mut transaction)).await?;
        transaction.commit().await?;
        self.arrived(&record).await;
        Ok(record)
    }

    /// Leaves nothing of a tenant that could not be made, unless somebody else has
    /// finished it.
    async fn undo(&self, entry: &TenantRecord) -> Result<()> {
        let (Some((_, tables)), Some(Locator::Database(address, _))) = (&self.data, &entry.locator)
        else {
            return Err(Error::internal("only a database is made step by step"));
        };
        let tables = &tables.at(address).await?;
        let mut transaction = tables.owner()?.begin().await?;
        let locked = self
            .registry
            .lock(&entry.slug, Some(&mut transaction))
            .await?;
        let ours = |locked: &TenantRecord| {
            locked.id == entry.id && locked.status == TenantStatus::Provisioning
        };
        if locked.as_ref().is_some_and(ours) {
            let dropped = patiently(address, tables.databases()?.drop(address)).await;
            // One of another role's is not ours to drop, nor anything to go on with.
            match dropped {
                Ok(()) | Err(Error::PlaceTaken(_)) => {}
                Err(error) => return Err(error),
            }
            self.registry
                .remove(entry.id, None, Some(&mut transaction))
                .await?;
        }
        transaction.commit().await?;
        self.changed(&entry.slug).await;
        Ok(())
    }

    /// Goes on with tenants that a crash has left half-made or half-destroyed.
    /// What cannot be finished is logged and stays as it is.
    pub(crate) async fn resume(&self) -> Result<()> {
        for tenant in self.all().await? {
            let outcome = match tenant.status {
                TenantStatus::Provisioning => Box::pin(self.finish(&tenant)).await.map(drop),
                // That one, and no other that has its name by now.
                TenantStatus::Destroying => Box::pin(self.erase(tenant.clone())).await.map(drop),
                _ => continue,
            };
            match outcome {
                Ok(()) => tracing::info!(
                    tenant = %tenant.slug, was = %tenant.status, "finished after an interruption"
                ),
                Err(error) => tracing::error!(
                    tenant = %tenant.slug, status = %tenant.status, %error, "still half-way"
                ),
            }
        }
        Ok(())
    }
}

/// The entry of a tenant whose database is yet to be made.
fn provisioning(record: &TenantRecord) -> TenantRecord {
    TenantRecord {
        status: TenantStatus::Provisioning,
        ..record.clone()
    }
}
