//! The most connections that all pools of tenants' databases have together.
//!
//! A pool for each database would be as many connections as there are tenants
//! times the size of a pool, and servers allow a few hundred. So a connection
//! is opened only with a place in the [`Budget`]. When none is free, pools give
//! theirs up: one that lies idle, or where none does the next that comes back.
//! One place is promised to each who waits and no more, or few waiting would
//! close the connections of many. Nobody's request does that work: it waits for
//! its place and no more.
//!
//! A pool that has a connection and wants another one is served by the first as
//! well, a moment later. It does not take others their only connection, unless
//! that was not used for a while: pools would else open connections in turns.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// How many connections to one server are being opened at a time. One that does
/// not answer holds no more places than these.
const OPENING_PER_SERVER: usize = 4;

/// Places for connections; each is given back when its connection closes.
#[derive(Debug)]
pub(super) struct Budget {
    places: Arc<Semaphore>,
    queue: Mutex<Queue>,
    wanted: Notify,
    opening: Mutex<HashMap<(String, u16), Arc<Semaphore>>>,
}

/// Who waits for a place.
#[derive(Debug, Default)]
struct Queue {
    waiting: usize,
    /// For how many of them a connection is being closed.
    promised: usize,
    /// Whether none lay idle when one was last looked for.
    none_idle: bool,
    /// How many more wait who have a connection to go on with.
    growing: usize,
}

impl Queue {
    /// Whether somebody waits for whom neither a place is free nor a connection
    /// being closed.
    fn is_short(&self, free: usize) -> bool {
        self.waiting > self.promised + free
    }
}

/// A place that a pool's connection has, until that closes.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    open: Arc<AtomicUsize>,
}

impl Place {
    /// The place is one of those that `open` counts.
    pub(super) fn new(permit: OwnedSemaphorePermit, open: Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self {
            _permit: permit,
            open,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How often a pool that grows looks for a free place, and somebody who waits in
/// vain is looked for an idle connection.
const LOOK: Duration = Duration::from_millis(20);

impl Budget {
    pub(super) fn new(places: u32) -> Arc<Self> {
        Arc::new(Self {
            places: Arc::new(Semaphore::new(places as usize)),
            queue: Mutex::default(),
            wanted: Notify::new(),
            opening: Mutex::default(),
        })
    }

    /// A place, and leave to open a connection to this server; `None` when there
    /// was none in time. `open` says how many the pool has.
    pub(super) async fn claim(
        &self,
        server: (String, u16),
        wait: Duration,
        open: &AtomicUsize,
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
            loop {
                self.grow(open).await;
                let leave = Arc::clone(&opening).acquire_owned().await.ok()?;
                if let Some(place) = self.free() {
                    return Some((place, leave));
                }
                if open.load(Ordering::Relaxed) == 0 {
                    let _waiting = Waiting::one(self);
                    self.wanted.notify_one();
                    let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
                    return Some((place, leave));
                }
                // Somebody was faster. Whoever has nothing yet goes first.
            }
        };
        tokio::time::timeout(wait, both).await.ok().flatten()
    }

    fn free(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Waits until a place is free, for as long as the pool has a connection to go
    /// on with: without leave to open one, which others may need more.
    async fn grow(&self, open: &AtomicUsize) {
        let is_full = || self.places.available_permits() == 0;
        if open.load(Ordering::Relaxed) == 0 || !is_full() {
            return;
        }
        let _growing = Growing::one(self);
        while open.load(Ordering::Relaxed) > 0 && is_full() {
            self.wanted.notify_one();
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Whether a pool that has a connection wants another one, and none is free.
    pub(super) fn is_growth_wanted(&self) -> bool {
        self.queue().growing > 0 && self.places.available_permits() == 0
    }

    /// Promises the place of a connection that is about to be closed to somebody
    /// who waits; not if there is nobody, and nothing needs to be closed.
    pub(super) fn promise(&self) -> bool {
        let free = self.places.available_permits();
        let mut queue = self.queue();
        let wanted = queue.is_short(free);
        queue.promised += usize::from(wanted);
        wanted
    }

    /// Takes a promise back: there was nothing to close. The next connection that
    /// comes back is closed instead.
    pub(super) fn take_back(&self) {
        let mut queue = self.queue();
        queue.promised = queue.promised.saturating_sub(1);
        queue.none_idle = true;
    }

    /// Whether a connection that comes back is to be closed for somebody else.
    pub(super) fn wants_returning(&self) -> bool {
        self.queue().none_idle && self.promise()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing under the lock can leave it half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_short(&self) -> bool {
        let free = self.places.available_permits();
        self.queue().is_short(free)
    }

    /// Waits until somebody waits for a place, for at most `round`. While somebody
    /// does in vain it is not for long: a connection can come to lie idle without
    /// coming back, when who had it opened has left or was served meanwhile.
    pub(super) async fn wanted(&self, round: Duration) {
        let most = if self.is_short() { LOOK } else { round };
        // Either way it is time to look.
        let _ = tokio::time::timeout(most, self.wanted.notified()).await;
    }
}

/// Counts who wants to grow, also when that is given up.
struct Growing<'a>(&'a Budget);

impl<'a> Growing<'a> {
    fn one(budget: &'a Budget) -> Self {
        budget.queue().growing += 1;
        Self(budget)
    }
}

impl Drop for Growing<'_> {
    fn drop(&mut self) {
        self.0.queue().growing -= 1;
    }
}

/// Counts who waits, also when the wait is given up.
struct Waiting<'a>(&'a Budget);

impl<'a> Waiting<'a> {
    fn one(budget: &'a Budget) -> Self {
        budget.queue().waiting += 1;
        Self(budget)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.waiting -= 1;
        // Its promise is kept, or goes to the next in the queue.
        queue.promised = queue.promised.saturating_sub(1).min(queue.waiting);
        queue.none_idle &= queue.waiting > 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    /// A pool without a connection.
    static NONE: AtomicUsize = AtomicUsize::new(0);

    #[tokio::test]
    async fn who_has_a_connection_waits_for_a_free_place_only() {
        let budget = Budget::new(1);
        let server = || ("db1".to_owned(), 5432);
        let (place, _leave) = budget.claim(server(), SOON, &NONE).await.unwrap();
        let one = AtomicUsize::new(1);
        let grow = budget.claim(server(), SOON * 20, &one);
        let watch = async {
            budget.wanted(SOON * 100).await;
            assert!(budget.is_growth_wanted());
            assert!(!budget.promise(), "nobody gives up a place in use for it");
            drop(place);
        };
        let (grown, ()) = tokio::join!(grow, watch);
        assert!(grown.is_some());
        assert!(!budget.is_growth_wanted());
    }

    #[tokio::test]
    async fn no_more_places_than_there_are_and_one_promise_for_each_who_waits() {
        let budget = Budget::new(1);
        let server = || ("db1".to_owned(), 5432);
        let (place, leave) = budget.claim(server(), SOON, &NONE).await.unwrap();
        drop(leave);
        assert!(!budget.promise(), "nobody waits");
        assert!(budget.claim(server(), SOON, &NONE).await.is_none());
        assert!(!budget.promise(), "who gave up does not wait");
        let waiting = tokio::spawn({
            let budget = Arc::clone(&budget);
            async move {
                let claim = budget.claim(("db2".to_owned(), 1), SOON * 100, &NONE);
                claim.await.is_some()
            }
        });
        // The first was for the one that gave up.
        budget.wanted(SOON * 100).await;
        while budget.queue().waiting == 0 {
            tokio::task::yield_now().await;
        }
        assert!(!budget.wants_returning(), "an idle one is looked for first");
        assert!(budget.promise());
        assert!(!budget.promise(), "one is enough");
        budget.take_back();
        assert!(budget.wants_returning());
        assert!(!budget.wants_returning());
        drop(place);
        assert!(waiting.await.unwrap());
        assert_eq!(budget.queue().promised, 0);
    }

    #[tokio::test]
    async fn one_server_opens_few_at_a_time_and_holds_up_no_other() {
        let budget = Budget::new(20);
        let dead = || ("dead".to_owned(), 1);
        let mut held = Vec::new();
        for _ in 0..OPENING_PER_SERVER {
            held.push(budget.claim(dead(), SOON, &NONE).await.unwrap());
        }
        assert!(budget.claim(dead(), SOON, &NONE).await.is_none());
        assert!(
            budget
                .claim(("live".to_owned(), 1), SOON, &NONE)
                .await
                .is_some()
        );
    }
}
