use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use futures_util::stream::Stream;
use tokio::task::unconstrained;

use super::event::Delivery;
use super::local::Local;
use super::places::{Place, Places};
use super::queue::{Overflow, Queue};
use super::stopping::Stay;
use crate::admit::Revocation;
use crate::error::Result;
use crate::tenant::TenantId;

/// Why a subscription has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The tenant may be served no longer: it was suspended, deleted or renamed.
    Revoked,
    /// Nobody can say whether the tenant may be served, and could not for as long as
    /// requests are served meanwhile (`TENANCY_CACHE_OUTAGE_LIMIT`).
    Unknown,
    /// The process stops.
    Stopping,
    /// The subscriber was too slow, and wanted [`Overflow::Close`].
    Overflow,
}

impl End {
    /// What the end of a revocation's [`asking`](Revocation::asking) is to what goes by
    /// it.
    pub(super) fn of(asked: &Result<()>) -> Self {
        match asked {
            Ok(()) => Self::Revoked,
            Err(_) => Self::Unknown,
        }
    }
}

/// The events of one tenant from now on: a `Stream` of [`Delivery`]. It ends when the
/// tenant may be served no longer and when the process stops.
#[must_use = "a subscription does nothing unless it is read"]
pub struct Subscription {
    tenant: TenantId,
    queue: Arc<Queue>,
    local: Arc<Local>,
    over: BoxFuture<'static, End>,
    /// Whether nobody knows just now if the tenant may be served.
    asks: Arc<AtomicBool>,
    end: Option<End>,
    places: Places,
}

impl Subscription {
    pub(super) fn new(
        local: Arc<Local>,
        tenant: TenantId,
        overflow: Overflow,
        revocation: Revocation,
        mut stay: Stay,
        places: Places,
    ) -> Self {
        let queue = Arc::new(Queue::new(overflow));
        local.add(tenant, &queue);
        let asks = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&asks);
        let over = Box::pin(unconstrained(async move {
            tokio::select! {
                asked = revocation.asking(&shared) => End::of(&asked),
                () = stay.over() => End::Stopping,
            }
        }));
        Self {
            tenant,
            queue,
            local,
            over,
            asks,
            end: None,
            places,
        }
    }

    /// A place among those of the tenant.
    pub(super) fn place(&self) -> Result<Place> {
        self.places.take(self.tenant)
    }

    /// Events may have been lost before it began.
    pub(super) fn after_a_gap(self) -> Self {
        self.queue.gap();
        self
    }

    /// The next event; `None` when it has ended. Safe to drop.
    pub async fn next(&mut self) -> Option<Delivery> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Why it has ended; `None` while it has not.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.end
    }
}

impl Stream for Subscription {
    type Item = Delivery;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        if self.end.is_some() {
            return Poll::Ready(None);
        }
        // First: a tenant that is suspended is shown nothing that still lies there.
        if let Poll::Ready(end) = self.over.as_mut().poll(context) {
            self.end = Some(end);
            return Poll::Ready(None);
        }
        if self.asks.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        let next = self.queue.poll(context);
        if let Poll::Ready(None) = next {
            self.end = Some(End::Overflow);
        }
        next
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.local.remove(self.tenant, &self.queue);
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription")
            .field("tenant", &self.tenant)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
