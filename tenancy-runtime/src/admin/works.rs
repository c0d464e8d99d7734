use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::error::{Error, Result};

/// Operators' work, which goes on when whoever asked for it is gone, and is waited
/// for before the process ends: so no trace is left without its end. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Works(Arc<watch::Sender<()>>);

impl Works {
    /// Does `work` to its end, even if this is dropped. In a box: what lies under it is
    /// deeper than the compiler likes to look.
    pub(super) async fn detached<T: Send + 'static>(
        &self,
        work: BoxFuture<'static, Result<T>>,
    ) -> Result<T> {
        let goes_on = self.0.subscribe();
        let work = async move {
            let outcome = work.await;
            drop(goes_on);
            outcome
        };
        tokio::spawn(work).await.map_err(Error::internal)?
    }

    /// Waits until none goes on. Safe to drop.
    pub(crate) async fn done(&self) {
        self.0.closed().await;
    }
}
