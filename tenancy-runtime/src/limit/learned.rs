//! Which limits the routes of merged routers have.
//!
//! Nobody in front knows such a router's handlers, so a handler's gate tells, with the
//! first request that passes it. From then on admission counts for both limits in one
//! step there as well.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use axum::extract::MatchedPath;
use axum::http::Method;
use axum::http::request::Parts;

use crate::plan::RouteLimit;

/// As many methods of one path are kept: clients can make up their own.
const MOST_METHODS: usize = 16;

/// Where a request has been routed to.
#[derive(Debug, Clone)]
pub(super) struct Place {
    path: MatchedPath,
    method: Method,
}

impl Place {
    /// None below a service that routes by itself.
    pub(super) fn of(request: &Parts) -> Option<Self> {
        Some(Self {
            path: request.extensions.get::<MatchedPath>()?.clone(),
            method: request.method.clone(),
        })
    }

    fn is(&self, other: &Self) -> bool {
        self.path.as_str() == other.path.as_str() && self.method == other.method
    }
}

/// What is known of a place.
#[derive(Clone, Copy)]
enum Known {
    /// Its requests come to the gate of this limit.
    Limit(RouteLimit),
    /// They come to one gate or another, or to none: something between decides.
    Mixed,
}

#[derive(Default)]
pub(super) struct Learned(RwLock<HashMap<Box<str>, HashMap<Method, Known>>>);

impl Learned {
    /// The limit of a place, as far as it is known.
    pub(super) fn limit(&self, place: &Place) -> Option<RouteLimit> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match all.get(place.path.as_str())?.get(&place.method)? {
            Known::Limit(limit) => Some(*limit),
            Known::Mixed => None,
        }
    }

    /// A request that was routed to `place` has come to the gate of `limit`, where it
    /// was routed to `there`.
    pub(super) fn learn(&self, place: &Place, there: &Place, limit: RouteLimit) {
        if !place.is(there) {
            return;
        }
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let methods = all.entry(place.path.as_str().into()).or_default();
        let known = match methods.get(&place.method) {
            Some(Known::Limit(known)) if *known == limit => return,
            Some(_) => Known::Mixed,
            None if methods.len() < MOST_METHODS => Known::Limit(limit),
            None => return,
        };
        methods.insert(place.method.clone(), known);
    }

    /// A request has been handled there without coming to the gate.
    pub(super) fn doubt(&self, place: &Place) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let methods = all.get_mut(place.path.as_str());
        if let Some(known) = methods.and_then(|methods| methods.get_mut(&place.method)) {
            *known = Known::Mixed;
        }
    }
}
