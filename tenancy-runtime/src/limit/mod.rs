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
mod memory;
#[cfg(feature = "redis")]
mod redis;
#[cfg(test)]
mod tests;
mod window;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::response::Response;
use secrecy::SecretString;

use self::headers::Standing;
use self::key::{Counter, Key};
use self::memory::MemoryStore;
use crate::error::{Error, Result};
use crate::plan::{RateLimit, RouteLimit};
use crate::tenant::Tenant;

pub use gate::{RateLimitGate, RequireRateLimit};

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
        Turn {
            limits: self.clone(),
            tenant: tenant.clone(),
            counted: None,
            standings: Arc::default(),
        }
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

/// One request of a tenant, and what came of counting it.
#[derive(Clone)]
pub(crate) struct Turn {
    limits: Limits,
    tenant: Tenant,
    /// The route's limit for which the request is counted already.
    counted: Option<RouteLimit>,
    /// Shared with the handler's gate, which may count as well.
    standings: Arc<Mutex<Vec<Standing>>>,
}

impl Turn {
    /// Counts the request for the application's limit and the route's, as far as
    /// there are any: without one nobody is asked.
    ///
    /// # Errors
    ///
    /// [`Error::RateLimited`], and [`Error::Unavailable`] when nobody counts.
    pub(crate) async fn begin(&mut self, route: Option<RouteLimit>) -> Result<()> {
        let every = self.limits.of_tenant(&self.tenant);
        self.counted = route;
        self.count(every, route).await
    }

    /// Counts the request for a route's limit, unless that is done.
    async fn pass(&self, route: RouteLimit) -> Result<()> {
        if self.counted == Some(route) {
            return Ok(());
        }
        self.count(None, Some(route)).await
    }

    async fn count(&self, every: Option<RateLimit>, route: Option<RouteLimit>) -> Result<()> {
        let counter = |route: Option<&'static str>, limit: RateLimit| Counter {
            key: Key {
                tenant: self.tenant.id(),
                route,
                per: limit.per(),
            },
            limit,
        };
        let every = every.map(|limit| counter(None, limit));
        let route = route.map(|RouteLimit { route, limit }| counter(Some(route), limit));
        let counters: Vec<_> = every.into_iter().chain(route).collect();
        if counters.is_empty() {
            return Ok(());
        }
        let Some(outcome) = self.limits.take(&counters).await? else {
            return Ok(());
        };
        let standings = counters.iter().zip(&outcome.readings);
        let standings: Vec<_> = standings
            .map(|(one, reading)| standing(one, reading))
            .collect();
        let reached = standings.iter().filter(|standing| standing.remaining == 0);
        let reached = reached.max_by_key(|standing| standing.more_after).copied();
        self.standings().extend(standings);
        match reached {
            Some(standing) if !outcome.admitted => Err(Error::RateLimited {
                limit: standing.limit,
                retry_after: standing.seconds(),
            }),
            _ if outcome.admitted => Ok(()),
            _ => Err(Error::internal("a request was refused below every limit")),
        }
    }

    /// Tells the client how it stands.
    pub(crate) fn tell(&self, mut response: Response) -> Response {
        headers::add(&self.standings(), response.headers_mut());
        response
    }

    fn standings(&self) -> std::sync::MutexGuard<'_, Vec<Standing>> {
        self.standings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn standing(counter: &Counter, reading: &Reading) -> Standing {
    Standing {
        policy: match counter.key.route {
            None => "tenant",
            Some(_) => "route",
        },
        limit: counter.limit,
        remaining: counter.limit.requests().saturating_sub(reading.used),
        more_after: reading.more_after,
    }
}
