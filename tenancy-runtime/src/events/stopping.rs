use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// Tells what would go on for ever that the process is to end, and waits for it.
#[derive(Debug, Clone)]
pub(crate) struct Stopping(Arc<watch::Sender<bool>>);

/// Held by what is to end.
#[derive(Debug, Clone)]
pub(crate) struct Stay(watch::Receiver<bool>);

impl Stopping {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Has all end that stay, and those that come.
    pub(crate) fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Waits until nobody stays, but no longer than this.
    pub(crate) async fn finish(&self, longest: Duration) {
        let _ = tokio::time::timeout(longest, self.0.closed()).await;
    }

    pub(super) fn stay(&self) -> Stay {
        Stay(self.0.subscribe())
    }
}

impl Stay {
    /// Waits until it is to end.
    pub(crate) async fn over(&mut self) {
        // Without anybody who could tell it, it is over as well.
        let _ = self.0.wait_for(|stops| *stops).await;
    }
}
