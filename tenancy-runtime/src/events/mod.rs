//! What happens to a tenant, told to those who listen: in this process and in all
//! others of the application.
//!
//! [`TenantEvents`] is a tenant's own: what is published there reaches that tenant's
//! subscribers and nobody else's, since they stand under the tenant's id, which is
//! never reused and no name that anybody chooses. [`Events`] is the application's,
//! for what serves no tenant.
//!
//! Events are delivered at most once and in the order of who published them. They say
//! that something has happened; what is true stands in the tables. So nobody is held
//! up for a slow consumer, whose queue is bounded ([`Overflow`]), nor for a process
//! that is away: who may have missed something is told ([`Delivery::Missed`]), and
//! reads.
//!
//! In this process they arrive at once. Other processes get them by Redis, where
//! there is one, or by `LISTEN` and `NOTIFY` of the application's own database, on
//! one channel for all tenants: each process hears everything and hands on what
//! somebody listens to (`link`). An application that publishes nothing and listens to
//! nothing has no connection for it.
//!
//! Tenants do not stand in each other's way: each has its share of what waits to be
//! sent (`outbox`), of what lies unread (`local`), and of what is open (`places`).
//!
//! A [`Subscription`] is a stream, an answer of server-sent events (`sse`), or
//! forwarded to a WebSocket (`socket`, with the feature `ws`). All of these hold no
//! connection to the database, and end when their tenant may be served no longer and
//! when the process stops.

mod bus;
mod carrier;
mod event;
mod extract;
mod held;
mod link;
mod local;
mod outbox;
mod places;
mod queue;
#[cfg(feature = "ws")]
mod socket;
mod sse;
mod stopping;
mod subscription;
mod wire;

pub use bus::{Events, TenantEvents};
pub(crate) use carrier::Carrier;
pub use event::{Delivery, Event};
pub use queue::Overflow;
#[cfg(feature = "ws")]
pub use socket::{TenantSocket, TenantWebSocket};
pub use sse::EventStream;
pub use subscription::{End, Subscription};
