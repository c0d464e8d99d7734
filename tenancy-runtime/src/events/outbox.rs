//! What waits to be sent to other processes: so much for all tenants, and so much for
//! each. Who publishes faster than it is sent waits, or loses, for its own part, and
//! tenants are sent in turn.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::event::Event;
use crate::tenant::TenantId;

/// The most bytes of events that wait to be sent.
const ROOM: u32 = 8 * 1024 * 1024;

/// The most of one tenant's.
const SHARE: u32 = ROOM / 16;

/// What an event takes beside itself.
const BESIDE: usize = 128;

/// The most events, and bytes of them, that are sent at once. What is late is lost,
/// and all that is sent with it.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 1024 * 1024;

/// The most tenants by name that have lost something.
const MOST_LOST: usize = 1_024;

/// Room for what waits.
#[derive(Debug)]
pub(super) struct Rooms {
    all: Arc<Semaphore>,
    shares: Mutex<Shares>,
}

#[derive(Debug, Default)]
struct Shares {
    /// Of those who have something waiting.
    tenants: HashMap<TenantId, Weak<Semaphore>>,
    /// At how many those are looked for that have nothing any more.
    sweep_at: usize,
}

/// The room of one event, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    _share: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Rooms {
    pub(super) fn new() -> Self {
        Self {
            all: Arc::new(Semaphore::new(ROOM as usize)),
            shares: Mutex::default(),
        }
    }

    /// Waits for room: first for the tenant's own, so that it stands in nobody's way
    /// while there is none. `None` where nothing is sent any more.
    pub(super) async fn take(&self, tenant: TenantId, event: &Event) -> Option<Permit> {
        let size = u32::try_from(event.size() + BESIDE).unwrap_or(SHARE);
        let size = size.min(SHARE);
        let share = self.share(tenant).acquire_many_owned(size).await.ok()?;
        let all = Arc::clone(&self.all).acquire_many_owned(size).await.ok()?;
        Some(Permit {
            _share: share,
            _all: all,
        })
    }

    /// Waits until nothing waits.
    pub(super) async fn emptied(&self) {
        let _ = self.all.acquire_many(ROOM).await;
    }

    fn share(&self, tenant: TenantId) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.tenants.get(&tenant).and_then(Weak::upgrade) {
            return share;
        }
        if shares.tenants.len() >= shares.sweep_at {
            shares.tenants.retain(|_, share| share.strong_count() > 0);
            shares.sweep_at = (2 * shares.tenants.len()).max(64);
        }
        let share = Arc::new(Semaphore::new(SHARE as usize));
        shares.tenants.insert(tenant, Arc::downgrade(&share));
        share
    }
}

/// What is to be sent, tenant by tenant.
#[derive(Debug, Default)]
pub(super) struct Turns {
    waiting: HashMap<TenantId, VecDeque<(Event, Permit)>>,
    /// Those that have something waiting, each once.
    order: VecDeque<TenantId>,
}

impl Turns {
    pub(super) fn add(&mut self, (tenant, event, permit): (TenantId, Event, Permit)) {
        let waiting = self.waiting.entry(tenant).or_default();
        if waiting.is_empty() {
            self.order.push_back(tenant);
        }
        waiting.push_back((event, permit));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// What is sent next, one of each tenant's in turn.
    pub(super) fn batch(&mut self) -> (Vec<(TenantId, Event)>, Vec<Permit>) {
        let (mut events, mut permits, mut bytes) = (Vec::new(), Vec::new(), 0);
        while events.len() < BATCH
            && bytes < BATCH_BYTES
            && let Some(tenant) = self.order.pop_front()
        {
            let Some(waiting) = self.waiting.get_mut(&tenant) else {
                continue;
            };
            if let Some((event, permit)) = waiting.pop_front() {
                bytes += event.size();
                events.push((tenant, event));
                permits.push(permit);
            }
            if waiting.is_empty() {
                self.waiting.remove(&tenant);
            } else {
                self.order.push_back(tenant);
            }
        }
        (events, permits)
    }

    /// Lets go of all of it, and says whose it was.
    pub(super) fn clear(&mut self) -> Vec<TenantId> {
        self.waiting.clear();
        self.order.drain(..).collect()
    }
}

/// Who has lost something that others are to hear of.
#[derive(Debug, Default)]
pub(super) struct Lost {
    tenants: HashSet<TenantId>,
    /// And more than are kept by name.
    others: bool,
}

impl Lost {
    pub(super) fn add(&mut self, tenant: TenantId) {
        if self.tenants.len() < MOST_LOST {
            self.tenants.insert(tenant);
        } else {
            self.others |= !self.tenants.contains(&tenant);
        }
    }

    /// Who it was, and whether there were others.
    pub(super) fn take(&mut self) -> (Vec<TenantId>, bool) {
        let lost = std::mem::take(self);
        (lost.tenants.into_iter().collect(), lost.others)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::super::held::Held;
    use super::*;

    fn event(bytes: usize) -> Event {
        Event::new("k", &"x".repeat(bytes), &Held::default()).unwrap()
    }

    #[test]
    fn who_publishes_too_much_waits_and_nobody_else_does() {
        let (rooms, event) = (Rooms::new(), event(60_000));
        let take = |tenant| rooms.take(tenant, &event).now_or_never().flatten();
        let [a, b] = [TenantId::generate(), TenantId::generate()];
        let mut taken: Vec<_> = std::iter::from_fn(|| take(a)).collect();
        assert!(taken.len() * 60_000 <= SHARE as usize, "{}", taken.len());
        // Whoever waits besides.
        let waits = rooms.take(a, &event);
        let mut waits = std::pin::pin!(waits);
        assert!(waits.as_mut().now_or_never().is_none());
        assert!(take(b).is_some());
        taken.pop();
        assert!(waits.now_or_never().flatten().is_some());
        drop(taken);
        assert!(rooms.emptied().now_or_never().is_some());
        for _ in 0..1_000 {
            assert!(take(TenantId::generate()).is_some());
        }
        let kept = rooms.shares.lock().unwrap().tenants.len();
        assert!(kept <= 64, "{kept} shares are kept of nobody");
    }

    #[test]
    fn tenants_are_sent_in_turn_each_in_its_order() {
        let (rooms, mut turns) = (Rooms::new(), Turns::default());
        let [a, b] = [TenantId::generate(), TenantId::generate()];
        let mut add = |tenant, number: u64| {
            let event = Event::new("k", &number, &Held::default()).unwrap();
            let permit = rooms.take(tenant, &event).now_or_never().flatten();
            turns.add((tenant, event, permit.unwrap()));
        };
        for number in 0..600 {
            add(a, number);
        }
        add(b, 0);
        add(b, 1);
        let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
        let (events, _permits) = turns.batch();
        assert_eq!(events.len(), BATCH);
        for (tenant, event) in events {
            let of = if tenant == a { &mut of_a } else { &mut of_b };
            of.push(event.data::<u64>().unwrap());
        }
        assert_eq!(of_b, [0, 1], "those of b wait for none but one of a's each");
        assert!(of_a.into_iter().eq(0..254));
        assert_eq!(turns.clear(), [a]);
        assert!(turns.is_empty() && turns.batch().0.is_empty());
    }

    #[test]
    fn what_is_sent_at_once_is_bounded_in_bytes() {
        let (rooms, mut turns) = (Rooms::new(), Turns::default());
        for _ in 0..100 {
            let (tenant, event) = (TenantId::generate(), event(60_000));
            let permit = rooms.take(tenant, &event).now_or_never().flatten();
            turns.add((tenant, event, permit.unwrap()));
        }
        assert!(turns.batch().0.len() * 60_000 < BATCH_BYTES + 60_000);
    }

    #[test]
    fn so_many_are_known_by_name() {
        let mut lost = Lost::default();
        let first = TenantId::generate();
        lost.add(first);
        lost.add(first);
        assert_eq!(lost.take(), (vec![first], false));
        for _ in 0..=MOST_LOST {
            lost.add(TenantId::generate());
        }
        let (named, others) = lost.take();
        assert_eq!((named.len(), others), (MOST_LOST, true));
        assert_eq!(lost.take(), (vec![], false));
    }
}
