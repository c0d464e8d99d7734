//! Work for a tenant that outlives its request.
//!
//! [`TenantDb::spawn`](crate::db::TenantDb::spawn) hands in a job, and the tenant
//! travels with it in the handle that it is given: a job belongs to who handed it
//! in, and there is no way to say another. Waiting jobs are closures, and hold no
//! connection.
//!
//! So many jobs run at a time (`TENANCY_JOBS`), and so many wait for each tenant
//! (`TENANCY_JOBS_WAITING`). Tenants take turns (`turns`). A tenant's standing is
//! looked at before its job begins and while it runs: a job whose tenant is
//! suspended is dropped where it waits, as a request is whose client has left. Where
//! nobody can say whether it is, a job that is to begin waits, and one that runs goes on,
//! as long as an outage of the registry may last.
//!
//! Jobs live in the memory of one process. What must survive it belongs in a table
//! of the tenant's, written in the transaction of the change that asks for it.

mod dispatch;
mod handle;
mod turns;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{Notify, oneshot, watch};

use crate::error::{Error, Result};
use crate::tenant::Tenant;

pub(crate) use dispatch::Dispatcher;
use handle::End;
pub use handle::{JobError, JobHandle};
pub(crate) use turns::Bounds;
use turns::Turns;

/// Whether a tenant may be served: the registry knows.
pub(crate) trait Standing: Send + Sync + 'static {
    /// Whether it may be now. Where nobody can say, that is asked again for as long as
    /// an outage may last; then it is an error.
    fn is_active<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, Result<bool>>;

    /// Waits until it may be no longer; with an error where nobody could say so for as
    /// long.
    fn revoked<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, Result<()>>;
}

/// How many jobs there are in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobNumbers {
    /// That run.
    pub running: usize,
    /// That wait for a place.
    pub waiting: usize,
}

/// Where jobs are handed in. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Jobs {
    inner: Arc<Inner>,
}

struct Inner {
    /// Never held across an await, nor while a job's own values are dropped.
    state: Mutex<State>,
    bounds: Bounds,
    /// Told of each job that is handed in.
    handed_in: Notify,
    running: watch::Sender<usize>,
}

struct State {
    turns: Turns<Job>,
    /// Whether jobs are taken.
    open: bool,
}

/// A job that waits.
struct Job {
    tenant: Tenant,
    /// Where the application handed it in, for the log.
    from: &'static Location<'static>,
    end: oneshot::Sender<End>,
    begin: Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>,
}

impl Jobs {
    fn new(bounds: Bounds) -> Self {
        let state = State {
            turns: Turns::new(bounds),
            open: true,
        };
        Self {
            inner: Arc::new(Inner {
                state: Mutex::new(state),
                bounds,
                handed_in: Notify::new(),
                running: watch::Sender::new(0),
            }),
        }
    }

    /// Takes a job of this tenant's.
    pub(crate) fn take<T, F>(
        &self,
        tenant: &Tenant,
        from: &'static Location<'static>,
        begin: impl FnOnce() -> F + Send + 'static,
    ) -> Result<JobHandle<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let (end, on_end) = oneshot::channel();
        let (outcome, on_outcome) = oneshot::channel();
        let begin = move || {
            let work = begin();
            async move {
                let returned = work.await;
                if let Err(error) = &returned {
                    // Whether or not anybody waits for it.
                    tracing::warn!(%error, "a job failed");
                }
                let _ = outcome.send(returned);
            }
            .boxed()
        };
        let job = Job {
            tenant: tenant.clone(),
            from,
            end,
            begin: Box::new(begin),
        };
        // What is refused is dropped outside of the lock.
        let (refused, is_open) = {
            let mut state = self.state();
            let refused = match state.open {
                true => state.turns.add(tenant.id(), job).err(),
                false => Some(job),
            };
            (refused, state.open)
        };
        let Some(refused) = refused else {
            self.inner.handed_in.notify_one();
            return Ok(JobHandle {
                end: on_end,
                outcome: on_outcome,
            });
        };
        let (slug, most) = (refused.tenant.slug(), self.inner.bounds.waiting());
        let why = match is_open {
            true => format!("{most} jobs of tenant `{slug}` wait (TENANCY_JOBS_WAITING)"),
            false => "the application stops".to_owned(),
        };
        Err(Error::unavailable(format!(
            "{why}: the job from {from} was not taken"
        )))
    }

    /// Takes no more, and lets go of those that wait.
    fn close(&self) {
        let waiting = {
            let mut state = self.state();
            state.open = false;
            state.turns.drain()
        };
        let mut counts = BTreeMap::<_, usize>::new();
        for job in waiting {
            *counts.entry(job.tenant.slug().clone()).or_default() += 1;
            // Nobody waits for most.
            let _ = job.end.send(End::NotBegun);
        }
        for (tenant, jobs) in counts {
            tracing::warn!(%tenant, jobs, "jobs are not begun, as the application stops");
        }
    }

    /// How many there are.
    pub(crate) fn numbers(&self) -> JobNumbers {
        let (running, waiting) = self.state().turns.numbers();
        JobNumbers { running, waiting }
    }

    fn next(&self) -> Option<Job> {
        let job = self.state().turns.next()?;
        self.inner.running.send_modify(|running| *running += 1);
        Some(job)
    }

    fn ended(&self, tenant: &Tenant) {
        self.state().turns.ended(tenant.id());
        self.inner.running.send_modify(|running| *running -= 1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.inner.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jobs").finish_non_exhaustive()
    }
}
