//! How often a tenant may come: for the whole application, by its plan, and by
//! route. Who was admitted is counted, before the handler is called, its body
//! read or a connection borrowed for it; strangers count for nobody.
//!
//! The algorithm is a sliding window cut into slices: a limit's time has sixty
//! of them, each with a count, and a request is let through while the counts of
//! all slices that the time touches are below the limit. So
//!
//! - in *no* time of that length more requests come through than the limit says,
//!   wherever it begins: there is no edge at which twice as many fit, as with
//!   counters that begin anew each minute;
//! - a client who is at the limit gets its requests back at most a sixtieth of
//!   the time late, since a slice leaves as a whole;
//! - a key needs sixty-one small numbers at most, whatever its limit.
//!
//! GCRA would need one number only, but a bucket that holds the whole limit lets
//! nearly twice as many through in the time that follows a full one, and a
//! smaller bucket refuses a client that is far below its limit. A log of every
//! request is as strict as this and grows with the limit.
//!
//! Refused requests are not counted: who keeps knocking is let in as soon as
//! everybody else. Where two limits hold, a request is counted for both or for
//! none, in one step.

mod gate;
mod headers;
mod key;
mod learned;
mod memory;
#[cfg(feature = "redis")]
mod redis;
#[cfg(test)]
mod tests;
mod turn;
mod window;

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use self::key::Counter;
use self::learned::Learned;
use self::memory::MemoryStore;
use crate::error::Result;
use crate::plan::RateLimit;
use crate::tenant::Tenant;

pub use gate::{RateLimitGate, RequireRateLimit};
pub(crate) use turn::{Route, Turn};

/// What happens to requests that have a limit while Redis is away. There is no
/// default: either choice hurts somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutRedis {
    /// They are let through, and not counted.
    Allow,
    /// They are refused with 503.
    Refuse,
}

/// The limits of an application, and where its requests are counted. Cheap to
/// clone.
#[derive(Clone)]
pub(crate) struct Limits(Arc<Inner>);

struct Inner {
    #[cfg_attr(
        not(feature = "redis"),
        expect(dead_code, reason = "part of keys in Redis")
    )]
    application: &'static str,
    every: Option<RateLimit>,
    store: Store,
    learned: Learned,
}

enum Store {
    Memory(MemoryStore),
    #[cfg(feature = "redis")]
    Redis(Box<redis::RedisStore>),
}

/// What a store says of one request.
struct Outcome {
    admitted: bool,
    readings: Vec<Reading>,
}

/// What a store says of one key.
struct Reading {
    used: u32,
    /// When the oldest request counts no more.
    more_after: Duration,
}

impl Limits {
    /// Limits that are counted in this process. `every` is for all requests of a
    /// tenant together, unless its plan has one.
    pub(crate) fn in_memory(application: &'static str, every: Option<RateLimit>) -> Self {
        let store = Store::Memory(MemoryStore::new(memory::MOST));
        Self(Arc::new(Inner {
            application,
            every,
            store,
            learned: Learned::default(),
        }))
    }

    /// The same limits, counted in Redis.
    #[cfg(feature = "redis")]
    pub(crate) fn in_redis(self, url: &SecretString, without: WithoutRedis) -> Result<Self> {
        let Inner {
            application, every, ..
        } = &*self.0;
        Ok(Self(Arc::new(Inner {
            application,
            every: *every,
            store: Store::Redis(Box::new(redis::RedisStore::new(url, without)?)),
            learned: Learned::default(),
        })))
    }

    /// The same limits, counted in Redis: in another build.
    #[cfg(not(feature = "redis"))]
    pub(crate) fn in_redis(self, _: &SecretString, _: WithoutRedis) -> Result<Self> {
        Err(crate::problem::Problem::new(
            "TENANCY_REDIS_URL",
            "is set, and this build knows no Redis",
            "add the feature `redis` to `tenancy` in Cargo.toml, or unset it",
        )
        .into())
    }

    /// Has the store ready for the first request, and says where it counts.
    pub(crate) async fn prepare(&self) {
        match &self.0.store {
            Store::Memory(_) => tracing::warn!(
                "requests are counted in this process only: with several processes each lets as \
                 many through as the limit says; set TENANCY_REDIS_URL to count for all"
            ),
            #[cfg(feature = "redis")]
            Store::Redis(store) => store.prepare().await,
        }
    }

    /// Begins to count for a request of `tenant`.
    pub(crate) fn turn(&self, tenant: &Tenant) -> Turn {
        Turn::new(self.clone(), tenant.clone())
    }

    /// What holds for all requests of a tenant together.
    fn of_tenant(&self, tenant: &Tenant) -> Option<RateLimit> {
        let every = self.0.every?;
        let plan = tenant.on_plan().and_then(|plan| plan.definition.rate_limit);
        Some(plan.unwrap_or(every))
    }

    /// Counts for `counters`; `None` is for a request that is not counted.
    async fn take(&self, counters: &[Counter]) -> Result<Option<Outcome>> {
        match &self.0.store {
            Store::Memory(store) => Ok(Some(store.take(counters))),
            #[cfg(feature = "redis")]
            Store::Redis(store) => store.take(self.0.application, counters).await,
        }
    }
}

impl Default for Limits {
    /// No limit for all requests.
    fn default() -> Self {
        Self::in_memory("", None)
    }
}
