//! A request's turn: what it is counted for, by admission and by the handler's gate.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::request::Parts;
use axum::response::Response;

use super::headers::{self, Standing};
use super::key::{Counter, Key};
use super::learned::Place;
use super::{Limits, Reading};
use crate::error::{Error, Result};
use crate::plan::{RateLimit, RouteLimit};
use crate::tenant::Tenant;

/// One request of a tenant, and what came of counting it.
#[derive(Clone)]
pub(crate) struct Turn {
    limits: Limits,
    tenant: Tenant,
    /// The route's limit for which the request is counted already.
    counted: Option<RouteLimit>,
    /// Where it is routed to, if only the handler's gate knows of a limit there.
    place: Option<Place>,
    shared: Arc<Shared>,
}

/// What a turn shares with the handler's gate, which may count as well.
#[derive(Default)]
struct Shared {
    standings: Mutex<Vec<Standing>>,
    gate_passed: AtomicBool,
}

/// Where a limit of a route is known from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Route {
    /// The route is listed: it has this one, or none.
    Listed(Option<RouteLimit>),
    /// It is a merged router's: from the gates of earlier requests.
    Merged,
}

impl Turn {
    pub(super) fn new(limits: Limits, tenant: Tenant) -> Self {
        Self {
            limits,
            tenant,
            counted: None,
            place: None,
            shared: Arc::default(),
        }
    }

    /// Counts the request for the application's limit and the route's, as far as
    /// there are any: without one nobody is asked.
    ///
    /// # Errors
    ///
    /// [`Error::RateLimited`], and [`Error::Unavailable`] when nobody counts.
    pub(crate) async fn begin(&mut self, route: Route, request: &Parts) -> Result<()> {
        match route {
            Route::Listed(limit) => self.counted = limit,
            Route::Merged => {
                self.place = Place::of(request);
                let learned = &self.limits.0.learned;
                self.counted = self.place.as_ref().and_then(|at| learned.limit(at));
            }
        }
        let every = self.limits.of_tenant(&self.tenant);
        self.count(every, self.counted).await
    }

    /// Counts the request for a route's limit, unless that is done. It has been
    /// routed to `there`.
    pub(super) async fn pass(&self, route: RouteLimit, there: Option<&Place>) -> Result<()> {
        self.shared.gate_passed.store(true, Ordering::Relaxed);
        if self.counted == Some(route) {
            return Ok(());
        }
        if let (Some(place), Some(there)) = (&self.place, there) {
            self.limits.0.learned.learn(place, there, route);
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
        let unseen = !self.shared.gate_passed.load(Ordering::Relaxed);
        if let (Some(_), Some(place)) = (self.counted, &self.place)
            && unseen
            && response.status().is_success()
        {
            self.limits.0.learned.doubt(place);
        }
        headers::add(&self.standings(), response.headers_mut());
        response
    }

    fn standings(&self) -> MutexGuard<'_, Vec<Standing>> {
        self.shared
            .standings
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
