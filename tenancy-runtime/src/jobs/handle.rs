use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// What becomes of a job, from [`TenantDb::spawn`](crate::db::TenantDb::spawn). To
/// await it is to wait for the job; dropped, the job goes on.
///
/// ```
/// use tenancy_runtime::db::TenantDb;
/// use tenancy_runtime::error::Result;
/// use tenancy_runtime::jobs::JobError;
///
/// async fn count(db: TenantDb) -> Result<Option<usize>> {
///     let job = db.spawn(async |_db: TenantDb| Ok(42))?;
///     Ok(match job.await {
///         Ok(count) => Some(count),
///         // Nothing was done: it can be tried again elsewhere.
///         Err(JobError::NotBegun) => None,
///         Err(other) => return Err(other.into()),
///     })
/// }
/// ```
pub struct JobHandle<T> {
    pub(super) end: oneshot::Receiver<End>,
    pub(super) outcome: oneshot::Receiver<Result<T>>,
}

/// How a job ended, whatever it returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It returned.
    Done,
    Revoked,
    Panicked,
    NotBegun,
}

/// Why a job has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// It returned an error.
    #[error(transparent)]
    Failed(#[from] Error),
    /// Its tenant was suspended, deleted, renamed or destroyed, or nobody could be asked
    /// for longer than an outage of the registry may last: it did not begin, or was
    /// dropped where it waited.
    #[error("the tenant of the job may be served no longer")]
    Revoked,
    /// It panicked. The log has the message.
    #[error("the job panicked")]
    Panicked,
    /// The application stopped first. Nothing of it was done.
    #[error("the application stopped before the job began")]
    NotBegun,
    /// The application stopped, and it had not ended in time.
    #[error("the application stopped while the job ran")]
    CutOff,
}

impl From<JobError> for Error {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Failed(error) => error,
            JobError::Revoked => Self::TenantInactive,
            JobError::Panicked => Self::internal(error),
            JobError::NotBegun | JobError::CutOff => Self::unavailable(error),
        }
    }
}

impl<T> Future for JobHandle<T> {
    type Output = Result<T, JobError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let end = ready!(Pin::new(&mut self.end).poll(context));
        Poll::Ready(match end {
            Ok(End::Done) => match self.outcome.try_recv() {
                Ok(outcome) => outcome.map_err(JobError::Failed),
                Err(_) => Err(JobError::CutOff),
            },
            Ok(End::Revoked) => Err(JobError::Revoked),
            Ok(End::Panicked) => Err(JobError::Panicked),
            Ok(End::NotBegun) => Err(JobError::NotBegun),
            // Dropped where it was.
            Err(_) => Err(JobError::CutOff),
        })
    }
}

impl<T> fmt::Debug for JobHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle").finish_non_exhaustive()
    }
}
