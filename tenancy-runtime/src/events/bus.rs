use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::carrier::Carrier;
use super::event::Event;
use super::link::Link;
use super::local::Local;
use super::places::Places;
use super::queue::Overflow;
use super::stopping::{Stay, Stopping};
use super::subscription::Subscription;
use crate::admit::Revocation;
use crate::error::Result;
use crate::registry::TenantCache;
use crate::tenant::{Tenant, TenantId};

/// The events of all tenants: of the application, and for routes without a tenant,
/// where it is an extractor. Cheap to clone.
///
/// ```
/// use tenancy_runtime::error::{Error, Result};
/// use tenancy_runtime::events::Events;
/// use tenancy_runtime::http::{Json, Path};
/// use tenancy_runtime::tenant::TenantId;
///
/// /// Called by a service that does the work: a route with `tenant = "none"`.
/// async fn done(Path(tenant): Path<TenantId>, events: Events, job: Json<u64>) -> Result<()> {
///     events.publish(tenant, "job.done", &*job).await
/// }
/// ```
#[derive(Clone)]
pub struct Events {
    local: Arc<Local>,
    link: Arc<Link>,
    places: Places,
    stopping: Stopping,
    tenants: TenantCache,
}

/// The events of one tenant: an extractor, bound to the tenant that was admitted.
/// Cheap to clone and free to move into spawned jobs; it holds no connection.
///
/// ```
/// use tenancy_runtime::error::Result;
/// use tenancy_runtime::events::{Delivery, EventStream, TenantEvents};
///
/// async fn visit(events: TenantEvents) -> Result<()> {
///     events.publish("page.view", &serde_json::json!({ "path": "/" })).await
/// }
///
/// /// Server-sent events.
/// async fn stream(events: TenantEvents) -> EventStream {
///     events.subscribe().await.into_sse()
/// }
///
/// async fn follow(events: TenantEvents) {
///     let mut subscription = events.subscribe().await;
///     while let Some(delivery) = subscription.next().await {
///         match delivery {
///             Delivery::Event(event) => println!("{}: {}", event.kind(), event.json()),
///             Delivery::Missed { .. } => { /* read from the tables what is true now */ }
///         }
///     }
/// }
/// ```
#[derive(Clone)]
pub struct TenantEvents {
    events: Events,
    tenant: TenantId,
    revocation: Revocation,
    /// The client has lost a stream, and with it what came since.
    comes_back: bool,
}

impl Events {
    /// `streams`: how many sockets and streams each tenant may have open.
    pub(crate) fn new(carrier: Option<Carrier>, tenants: TenantCache, streams: u32) -> Self {
        let local = Arc::new(Local::default());
        Self {
            link: Arc::new(Link::new(carrier, Arc::clone(&local))),
            local,
            places: Places::new(streams),
            stopping: Stopping::new(),
            tenants,
        }
    }

    /// The events of one tenant.
    #[must_use]
    pub fn of(&self, tenant: &Tenant) -> TenantEvents {
        let revocation = Revocation::new(tenant.clone(), self.tenants.clone());
        self.bound(tenant, revocation, false)
    }

    pub(super) fn bound(
        &self,
        tenant: &Tenant,
        revocation: Revocation,
        comes_back: bool,
    ) -> TenantEvents {
        TenantEvents {
            events: self.clone(),
            tenant: tenant.id(),
            revocation,
            comes_back,
        }
    }

    /// Tells all who listen to this tenant that something has happened.
    ///
    /// # Errors
    ///
    /// Those of [`TenantEvents::publish`].
    pub async fn publish(
        &self,
        tenant: TenantId,
        kind: &str,
        data: &(impl Serialize + Sync),
    ) -> Result<()> {
        let event = Event::new(kind, data, &self.local.held)?;
        // Before anybody has it: who is dropped here has told nobody.
        let room = self.link.room(tenant, &event).await;
        self.local.deliver(tenant, &event);
        self.link.send(tenant, event, room);
        Ok(())
    }

    /// How many bytes of events this process keeps for those who have not read them:
    /// some 64 MiB at most.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        self.local.held.sum()
    }

    /// Ends what streams.
    pub(crate) fn stop(&self) {
        self.stopping.begin();
    }

    /// Waits until what streams has ended and what was published is sent, but not
    /// for longer than this.
    pub(crate) async fn finish(&self, longest: Duration) {
        self.stopping.finish(longest).await;
        self.link.flush().await;
    }

    pub(super) fn stay(&self) -> Stay {
        self.stopping.stay()
    }

    #[cfg(feature = "ws")]
    pub(super) fn places(&self) -> &Places {
        &self.places
    }
}

impl TenantEvents {
    /// Tells all who listen to the tenant, in this process and in others, that
    /// something has happened. Publish what a transaction has done after its commit.
    ///
    /// `kind` has 1 to 64 letters, digits, `_`, `-`, `.` and `:`; `data` is anything
    /// that is JSON, up to 64 KiB. Waits for at most half a second for others to keep
    /// up, and loses what is more than its tenant's share of what waits for them. Safe
    /// to drop: then it was published for nobody, or for everybody.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidInput`](crate::error::Error::InvalidInput) for another kind or
    /// longer data, and [`Error::Internal`](crate::error::Error::Internal) for data
    /// that has no form as JSON. That nobody listens, or that other processes cannot
    /// be reached, is no error: those who listen there are told that they missed
    /// something.
    pub async fn publish(&self, kind: &str, data: &(impl Serialize + Sync)) -> Result<()> {
        self.events.publish(self.tenant, kind, data).await
    }

    /// The tenant's events from now on. Who reads too slowly misses the oldest
    /// ([`Overflow::SkipOldest`]). Safe to drop.
    pub async fn subscribe(&self) -> Subscription {
        self.subscribe_with(Overflow::default()).await
    }

    /// The same, with another way to treat who reads too slowly.
    pub async fn subscribe_with(&self, overflow: Overflow) -> Subscription {
        self.events.link.heard().await;
        let subscription = Subscription::new(
            Arc::clone(&self.events.local),
            self.tenant,
            overflow,
            self.revocation.clone(),
            self.events.stay(),
            self.events.places.clone(),
        );
        if self.comes_back {
            return subscription.after_a_gap();
        }
        subscription
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events")
            .field("kept_bytes", &self.kept_bytes())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TenantEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TenantEvents")
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}
