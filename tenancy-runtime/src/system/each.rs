//! One tenant after the other, several at a time.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::SystemAccess;
use super::trail::{Access, Event};
use crate::db::TenantConn;
use crate::error::{Error, Result};
use crate::tenant::{Slug, TenantRecord, TenantStatus};

/// How far a round over all tenants has come.
#[derive(Debug)]
#[non_exhaustive]
pub struct Progress<'a, T> {
    /// Whose work has just ended.
    pub slug: &'a Slug,
    /// What it came to.
    pub result: &'a Result<T>,
    /// How many tenants' works have ended, this one included.
    pub done: usize,
    /// How many there are.
    pub all: usize,
}

impl SystemAccess {
    /// Runs `work` for every tenant, whatever its layout, on a connection that is
    /// scoped to that tenant: at most `concurrency` at a time, and never more
    /// than the application's pool has connections. The results come in the
    /// order of the slugs.
    ///
    /// Each tenant's work is a transaction and an access of its own: it is
    /// committed or undone, and leaves its trace, whatever happens to the
    /// others; an error or a panic in one stops no other. Dropped half way, what
    /// runs is rolled back and what was finished stays.
    ///
    /// Suspended and soft-deleted tenants are included, since their data must be
    /// kept up as well; `work` may look at `status` and leave them alone. Left
    /// out are tenants that are being provisioned or destroyed.
    ///
    /// ```
    /// use diesel_async::RunQueryDsl;
    /// use tenancy_runtime::error::Result;
    /// use tenancy_runtime::system::SystemAccess;
    ///
    /// async fn reindex(system: &SystemAccess) -> Result<()> {
    ///     let results = system
    ///         .for_each_tenant("nightly job", "slugs of titles", 4, async |_, conn| {
    ///             let sql = "UPDATE \"tenant\".todos SET slug = lower(title)";
    ///             Ok(diesel::sql_query(sql).execute(conn).await?)
    ///         })
    ///         .await?;
    ///     for (slug, result) in results {
    ///         match result {
    ///             Ok(count) => println!("{slug}: {count} rows"),
    ///             Err(error) => eprintln!("{slug}: {error}"),
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidInput`] for a `concurrency` of 0 and as for
    /// [`run`](Self::run), and those of the registry, before any work begins.
    pub async fn for_each_tenant<T>(
        &self,
        actor: &str,
        reason: &str,
        concurrency: usize,
        work: impl AsyncFn(TenantRecord, &mut TenantConn) -> Result<T>,
    ) -> Result<Vec<(Slug, Result<T>)>> {
        self.for_each_tenant_with_progress(actor, reason, concurrency, |_| {}, work)
            .await
    }

    /// [`for_each_tenant`](Self::for_each_tenant), which calls `progress` as each
    /// tenant's work ends, in the order in which they do. It is called between the
    /// works, so it had better be quick: to wait there is to hold them all up.
    ///
    /// ```
    /// use diesel_async::RunQueryDsl;
    /// use tenancy_runtime::error::Result;
    /// use tenancy_runtime::system::{Progress, SystemAccess};
    ///
    /// async fn reindex(system: &SystemAccess) -> Result<usize> {
    ///     let told = |progress: Progress<'_, usize>| {
    ///         let Progress { slug, done, all, result, .. } = progress;
    ///         match result {
    ///             Ok(rows) => println!("{done} of {all}: {slug}, {rows} rows"),
    ///             Err(error) => eprintln!("{done} of {all}: {slug}: {error}"),
    ///         }
    ///     };
    ///     let results = system
    ///         .for_each_tenant_with_progress("nightly job", "slugs", 4, told, async |_, conn| {
    ///             let sql = "UPDATE \"tenant\".todos SET slug = lower(title)";
    ///             Ok(diesel::sql_query(sql).execute(conn).await?)
    ///         })
    ///         .await?;
    ///     Ok(results.iter().filter(|(_, result)| result.is_ok()).count())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`for_each_tenant`](Self::for_each_tenant).
    pub async fn for_each_tenant_with_progress<T>(
        &self,
        actor: &str,
        reason: &str,
        concurrency: usize,
        mut progress: impl FnMut(Progress<'_, T>),
        work: impl AsyncFn(TenantRecord, &mut TenantConn) -> Result<T>,
    ) -> Result<Vec<(Slug, Result<T>)>> {
        Access::new(actor, reason)?;
        if concurrency == 0 {
            let wrong = "a concurrency of 0 gets nothing done: write 1 or more";
            return Err(Error::InvalidInput(wrong.to_owned()));
        }
        let at_once = concurrency.min(self.tenants.size() as usize);
        // All of them first: a registry that fails half way would hide what the
        // work on the first half came to.
        let mut waiting = self.provisioner.all().await?;
        waiting.retain(has_data);
        let all = waiting.len();
        let mut waiting = waiting.into_iter();
        let mut running = FuturesUnordered::new();
        let mut results = Vec::new();
        loop {
            while running.len() < at_once
                && let Some(tenant) = waiting.next()
            {
                running.push(self.for_one(actor, reason, tenant, &work));
            }
            match running.next().await {
                Some((slug, result)) => {
                    progress(Progress {
                        slug: &slug,
                        result: &result,
                        done: results.len() + 1,
                        all,
                    });
                    results.push((slug, result));
                }
                None => break,
            }
        }
        results.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(results)
    }

    async fn for_one<T>(
        &self,
        actor: &str,
        reason: &str,
        tenant: TenantRecord,
        work: &impl AsyncFn(TenantRecord, &mut TenantConn) -> Result<T>,
    ) -> (Slug, Result<T>) {
        let slug = tenant.slug.clone();
        let result = async {
            let access = Access::new(actor, reason)?.to(tenant.id);
            self.record(&access, Event::Begun).await?;
            let outcome = AssertUnwindSafe(self.work(tenant, work)).catch_unwind();
            let outcome = outcome
                .await
                .unwrap_or_else(|_| Err(Error::internal("the work panicked")));
            let event = match &outcome {
                Ok(_) => Event::Done,
                Err(_) => Event::Failed,
            };
            if let Err(lost) = self.record(&access, event).await {
                // The work is over, and its first row says that it was done.
                access.lost(&lost);
            }
            outcome
        };
        (slug, result.await)
    }

    async fn work<T>(
        &self,
        tenant: TenantRecord,
        work: &impl AsyncFn(TenantRecord, &mut TenantConn) -> Result<T>,
    ) -> Result<T> {
        let mut conn = self.tenants.of_record(&tenant)?.conn().await?;
        conn.all_or_nothing(async |conn| work(tenant, conn).await)
            .await
    }

    /// Writes a row of the trail in a transaction of its own. Its connection is
    /// given back before the work begins: an embedded database has but one.
    async fn record(&self, access: &Access<'_>, event: Event) -> Result<()> {
        access
            .record(&mut self.system.outside().await?, event)
            .await
    }
}

/// Whether all of the tenant's tables are there.
fn has_data(tenant: &TenantRecord) -> bool {
    match tenant.status {
        TenantStatus::Active | TenantStatus::Suspended | TenantStatus::Deleted => true,
        TenantStatus::Provisioning | TenantStatus::Destroying => false,
    }
}
