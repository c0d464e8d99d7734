use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::handle::End;
use super::{Bounds, Job, JobNumbers, Jobs, Standing};
use crate::problem::said;
use crate::tenant::Tenant;

/// How long jobs that are cut off get to reach an await, where they are dropped.
const LAST_AWAIT: Duration = Duration::from_secs(1);

/// Begins the jobs that are handed in, until it is dropped: with it goes what runs.
pub(crate) struct Dispatcher {
    jobs: Jobs,
    task: JoinSet<()>,
}

impl Dispatcher {
    /// Starts on the runtime on which it is called, where jobs run as well.
    pub(crate) fn start(bounds: Bounds, standing: Arc<dyn Standing>) -> Self {
        let jobs = Jobs::new(bounds);
        let mut task = JoinSet::new();
        task.spawn(dispatch(jobs.clone(), standing));
        Self { jobs, task }
    }

    /// Where they are handed in.
    pub(crate) fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// Takes no more jobs and begins none. Those that run go on.
    pub(crate) fn close(&self) {
        self.jobs.close();
    }

    /// Waits until none runs and none waits. Safe to drop.
    pub(crate) async fn done(&self) {
        let mut running = self.jobs.inner.running.subscribe();
        // The one that waits last is seen when it begins, and when it ends.
        while self.jobs.numbers()
            != (JobNumbers {
                running: 0,
                waiting: 0,
            })
        {
            // Fails only when the sender is gone, which is here.
            let _ = running.changed().await;
        }
    }

    /// Cuts off what runs, and waits until it is gone, or has reached no await for
    /// so long that it never will.
    pub(crate) async fn stop(mut self) {
        self.close();
        let running = self.jobs.numbers().running;
        if running > 0 {
            tracing::warn!(jobs = running, "jobs that still run are cut off");
        }
        self.task.shutdown().await;
        if tokio::time::timeout(LAST_AWAIT, self.done()).await.is_err() {
            let jobs = self.jobs.numbers().running;
            tracing::error!(jobs, "jobs that were cut off still run: they never wait");
        }
    }
}

impl Drop for Dispatcher {
    /// Waiting jobs hold a way to hand in jobs, and so each other.
    fn drop(&mut self) {
        self.close();
    }
}

async fn dispatch(jobs: Jobs, standing: Arc<dyn Standing>) {
    let mut running = JoinSet::new();
    loop {
        while let Some(job) = jobs.next() {
            let span = tracing::info_span!("job", tenant = %job.tenant.slug(), from = %job.from);
            let place = Place {
                jobs: jobs.clone(),
                tenant: job.tenant.clone(),
            };
            running.spawn(run(job, place, Arc::clone(&standing)).instrument(span));
        }
        tokio::select! {
            () = jobs.inner.handed_in.notified() => {}
            // Its place is free.
            Some(_) = running.join_next() => {}
        }
    }
}

/// The place that a job takes among those that run.
struct Place {
    jobs: Jobs,
    tenant: Tenant,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.jobs.ended(&self.tenant);
    }
}

async fn run(job: Job, place: Place, standing: Arc<dyn Standing>) {
    let Job {
        tenant, end, begin, ..
    } = job;
    let ended = work(&tenant, begin, &*standing).await;
    // Who hears of the end finds the place free.
    drop(place);
    let _ = end.send(ended);
}

async fn work<F>(tenant: &Tenant, begin: impl FnOnce() -> F, standing: &dyn Standing) -> End
where
    F: Future<Output = ()>,
{
    match standing.is_active(tenant).await {
        Ok(true) => {}
        Ok(false) => {
            tracing::info!("a job is not begun: its tenant may be served no longer");
            return End::Revoked;
        }
        Err(error) => {
            tracing::error!(
                %error,
                "a job is lost: nobody could say whether its tenant may be served"
            );
            return End::Revoked;
        }
    }
    let work = AssertUnwindSafe(async move { begin().await }).catch_unwind();
    tokio::select! {
        biased;
        revoked = standing.revoked(tenant) => {
            match revoked {
                Ok(()) => tracing::info!("a job is dropped: its tenant may be served no longer"),
                Err(error) => tracing::error!(
                    %error,
                    "a job is dropped: nobody could say whether its tenant may be served"
                ),
            }
            End::Revoked
        }
        outcome = work => match outcome {
            Ok(()) => End::Done,
            Err(panic) => {
                tracing::error!("a job panicked: {}", said(&*panic));
                End::Panicked
            }
        },
    }
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher").finish_non_exhaustive()
    }
}
