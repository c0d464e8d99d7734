//! A server that is a tenant's own may take a login and then stay silent, or be held up
//! by the tenant. What waits for it waits with others: a start, or with an entry locked.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::tenant::DatabaseAddress;

/// How long everything may take that is done there at a time.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long who works there may wait for a lock.
pub(super) const FOR_LOCKS: &str = "SET LOCAL lock_timeout = '10s'; ";

/// Does `work` at a tenant's database; where the tenant has logins of its own, within
/// a time. In a box, as such work is large, and so would be all that waits for it.
pub(crate) fn patiently<T, W>(
    address: &DatabaseAddress,
    work: W,
) -> impl Future<Output = Result<T>> + use<T, W>
where
    W: Future<Output = Result<T>>,
{
    let own = address.own_logins().map(|_| address.to_string());
    let work = Box::pin(work);
    async move {
        let Some(database) = own else {
            return work.await;
        };
        let done = tokio::time::timeout(PATIENCE, work).await;
        done.unwrap_or_else(|_| {
            Err(Error::unavailable(Problem::new(
                format!("the database {database}"),
                format!(
                    "has not done within {} seconds what it was asked",
                    PATIENCE.as_secs()
                ),
                "see what its server waits for",
            )))
        })
    }
}
