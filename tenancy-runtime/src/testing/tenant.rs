use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use futures_util::FutureExt as _;

use super::Caller;
use super::app::{Inner, on};
use crate::db::TenantDb;
use crate::error::Result;
use crate::tenant::{Slug, TenantRecord};

/// A tenant of one test, which sends requests by the methods of [`Caller`].
#[derive(Clone)]
pub struct TestTenant {
    pub(super) inner: Arc<Inner>,
    pub(super) record: TenantRecord,
    pub(super) caller: Caller,
}

impl TestTenant {
    /// Its slug.
    #[must_use]
    pub fn slug(&self) -> &Slug {
        &self.record.slug
    }

    /// As it was registered.
    #[must_use]
    pub fn record(&self) -> &TenantRecord {
        &self.record
    }

    /// Works on the tenant's data as the application does, without a request: on
    /// its role, its pool and its runtime. A panic in `work` is the test's.
    ///
    /// # Errors
    ///
    /// Those of `work`,
    /// [`Error::TenantInactive`](crate::error::Error::TenantInactive) when the tenant
    /// is not active, and [`Error::Internal`](crate::error::Error::Internal) without a
    /// database.
    pub async fn run<T, F>(&self, work: impl FnOnce(TenantDb) -> F + Send + 'static) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
        T: Send + 'static,
    {
        let (tenancy, slug) = (self.inner.tenancy()?, self.record.slug.clone());
        let work = async move {
            let (_, db) = tenancy.tenant(&slug).await?;
            work(db).await
        }
        .boxed();
        on(&self.inner.started.runtime, work).await
    }
}

impl Deref for TestTenant {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl fmt::Debug for TestTenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.caller.fmt(f)
    }
}
