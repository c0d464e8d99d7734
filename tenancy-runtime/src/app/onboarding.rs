//! What a new tenant begins with: work that is done for each, beside the request
//! that registers it.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::builder::App;
use crate::db::{TenantDb, TenantPool};
use crate::error::Result;
use crate::provision::Onboarding;

/// The application's work for a new tenant.
pub(super) type Work = Arc<dyn Fn(TenantDb) -> BoxFuture<'static, Result<()>> + Send + Sync>;

impl App {
    /// Has `work` done for each tenant when it is registered, over HTTP, by a command
    /// or as a seed: the rows that it begins with, a word to somebody.
    ///
    /// It is a [job](crate::jobs) of the tenant's. Whoever registers the tenant does not
    /// wait for it, except for commands, which end when it is done. As any job it is
    /// lost with its process: what must be there when the first request comes is better
    /// a column's default or a row of a migration.
    ///
    /// ```
    /// use tenancy_runtime::app::App;
    /// use tenancy_runtime::db::TenantDb;
    /// use tenancy_runtime::error::Result;
    ///
    /// async fn welcome(db: TenantDb) -> Result<()> {
    ///     let _conn = db.conn().await?;
    ///     // … inserts the first rows
    ///     Ok(())
    /// }
    ///
    /// let app = App::new("shop", "1.0.0").onboarding(welcome);
    /// ```
    pub fn onboarding<F>(mut self, work: impl Fn(TenantDb) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        self.declared.onboarding = Some(Arc::new(move |db| work(db).boxed()));
        self
    }
}

/// Hands the work in as a job of a tenant that has just been registered, whose data is
/// in `pool`.
pub(super) fn through(pool: TenantPool, work: Work) -> Onboarding {
    Arc::new(move |tenant| {
        let work = Arc::clone(&work);
        let handed_in = pool
            .of_record(tenant)
            .and_then(|db| db.spawn(move |db| work(db)));
        if let Err(error) = handed_in {
            tracing::error!(tenant = %tenant.slug, %error, "the onboarding is not begun");
        }
    })
}
