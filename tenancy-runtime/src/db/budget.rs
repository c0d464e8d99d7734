//! The most connections that all pools of tenants' databases have together.
//!
//! A pool for each database would be as many connections as there are tenants
//! times the size of a pool, and servers allow a few hundred. So a connection
//! is opened only with a place in the [`Budget`]. When none is free, pools give
//! theirs up: the one that was used longest ago an idle connection, and every
//! pool the next one that comes back, because somebody is waiting. Nobody's
//! request does that work: it waits for its place and no more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// How many connections to one server are being opened at a time. One that does
/// not answer holds no more places than these.
const OPENING_PER_SERVER: usize = 4;

/// Places for connections; each is given back when its connection closes.
#[derive(Debug)]
pub(super) struct Budget {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    wanted: Notify,
    opening: Mutex<HashMap<(String, u16), Arc<Semaphore>>>,
}

impl Budget {
    pub(super) fn new(places: u32) -> Arc<Self> {
        Arc::new(Self {
            places: Arc::new(Semaphore::new(places as usize)),
            waiting: AtomicUsize::new(0),
            wanted: Notify::new(),
            opening: Mutex::default(),
        })
    }

    /// A place, and leave to open a connection to this server; `None` when there
    /// was none in time.
    pub(super) async fn claim(
        &self,
        server: (String, u16),
        wait: Duration,
    ) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let opening = {
            let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(
                opening
                    .entry(server)
                    .or_insert_with(|| Arc::new(Semaphore::new(OPENING_PER_SERVER))),
            )
        };
        let both = async {
            let leave = opening.acquire_owned().await.ok()?;
            Some((self.place().await?, leave))
        };
        tokio::time::timeout(wait, both).await.ok().flatten()
    }

    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(place);
        }
        let _waiting = Waiting::one(&self.waiting);
        self.wanted.notify_one();
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    /// Whether somebody waits for a place.
    pub(super) fn is_wanted(&self) -> bool {
        self.missing() > 0
    }

    /// How many places more are waited for than there are.
    pub(super) fn missing(&self) -> usize {
        let waiting = self.waiting.load(Ordering::Relaxed);
        waiting.saturating_sub(self.places.available_permits())
    }

    /// Waits until somebody waits for a place.
    pub(super) async fn wanted(&self) {
        self.wanted.notified().await;
    }
}

/// Counts who waits, also when the wait is given up.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn one(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn no_more_places_than_there_are_and_a_wait_that_ends() {
        let budget = Budget::new(1);
        let server = || ("db1".to_owned(), 5432);
        let (place, leave) = budget.claim(server(), SOON).await.unwrap();
        drop(leave);
        assert!(!budget.is_wanted());
        assert!(budget.claim(server(), SOON).await.is_none());
        assert!(!budget.is_wanted(), "who gave up does not wait");
        let waiting = tokio::spawn({
            let budget = Arc::clone(&budget);
            async move {
                budget
                    .claim(("db2".to_owned(), 1), SOON * 100)
                    .await
                    .is_some()
            }
        });
        budget.wanted().await;
        while !budget.is_wanted() {
            tokio::task::yield_now().await;
        }
        drop(place);
        assert!(waiting.await.unwrap());
    }

    #[tokio::test]
    async fn one_server_opens_few_at_a_time_and_holds_up_no_other() {
        let budget = Budget::new(20);
        let dead = || ("dead".to_owned(), 1);
        let mut held = Vec::new();
        for _ in 0..OPENING_PER_SERVER {
            held.push(budget.claim(dead(), SOON).await.unwrap());
        }
        assert!(budget.claim(dead(), SOON).await.is_none());
        assert!(budget.claim(("live".to_owned(), 1), SOON).await.is_some());
    }
}
