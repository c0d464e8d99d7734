use std::panic::AssertUnwindSafe;

use diesel_async::RunQueryDsl as _;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::Operator;
use crate::db::Pool;
use crate::error::{Error, Result};
use crate::registry::unprepared;
use crate::system::{Access, Event};
use crate::tenant::TenantId;

/// Writes the system's trail (`tenancy.system_access`) around what operators do: as
/// the owner, who makes the changes, since the system role may be left out. Where
/// there is no database the log is all there is.
#[derive(Clone)]
pub(super) struct Trace(pub(super) Option<Pool>);

impl Trace {
    /// Does `work` between a row that says that it begins and one that says how it
    /// ended. What cannot be recorded is not done. `about` finds the tenant that a
    /// work is about which has made it.
    pub(super) async fn around<T>(
        &self,
        operator: &Operator,
        reason: &str,
        tenant: Option<TenantId>,
        about: fn(&T) -> Option<TenantId>,
        work: BoxFuture<'_, Result<T>>,
    ) -> Result<T> {
        let reason = format!("admin: {reason}");
        let access = Access::new(operator.as_str(), &reason)?;
        let access = match tenant {
            Some(tenant) => access.to(tenant),
            None => access,
        };
        self.record(&access, Event::Begun).await?;
        let outcome = AssertUnwindSafe(work).catch_unwind().await;
        let outcome =
            outcome.unwrap_or_else(|_| Err(Error::internal("an operator's work panicked")));
        let made = outcome.as_ref().ok().and_then(about);
        let (access, event) = match (&outcome, made) {
            (Ok(_), Some(tenant)) => (access.to(tenant), Event::Done),
            (Ok(_), None) => (access, Event::Done),
            (Err(_), _) => (access, Event::Failed),
        };
        if let Err(lost) = self.record(&access, event).await {
            // The work is over, and its first row says that it was done.
            access.lost(&lost);
        }
        outcome
    }

    async fn record(&self, access: &Access<'_>, event: Event) -> Result<()> {
        access.log(event);
        let Some(owner) = &self.0 else {
            return Ok(());
        };
        let mut transaction = owner.begin().await?;
        let written = access.row(event).execute(transaction.conn()).await;
        Access::written(written.map_err(Error::from).map_err(unprepared)?)?;
        transaction.commit().await
    }
}
