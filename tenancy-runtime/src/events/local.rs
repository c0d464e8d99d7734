use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::event::Event;
use super::held::{self, Held};
use super::queue::Queue;
use crate::tenant::TenantId;

/// How often all queues are looked through while they keep too much.
const SWEEP: Duration = Duration::from_millis(100);

/// The queues of a tenant's, by where they lie.
type Queues = HashMap<usize, Arc<Queue>>;

/// Who listens in this process, by tenant. What is published for one reaches the
/// queues that stand under its id, which is never reused and no name that anybody
/// could choose.
#[derive(Debug, Default)]
pub(super) struct Local {
    tenants: RwLock<HashMap<TenantId, Queues>>,
    pub(super) held: Held,
    swept: Mutex<Option<Instant>>,
}

impl Local {
    pub(super) fn add(&self, tenant: TenantId, queue: &Arc<Queue>) {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        let queues = tenants.entry(tenant).or_default();
        queues.insert(Arc::as_ptr(queue).addr(), Arc::clone(queue));
    }

    pub(super) fn remove(&self, tenant: TenantId, queue: &Arc<Queue>) {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut queues) = tenants.entry(tenant) {
            queues.get_mut().remove(&Arc::as_ptr(queue).addr());
            if queues.get().is_empty() {
                queues.remove();
            }
        }
    }

    pub(super) fn listens(&self, tenant: TenantId) -> bool {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        tenants.contains_key(&tenant)
    }

    /// While all queues together keep too much, each keeps its tenant's share: who has
    /// less loses nothing for those who have more.
    pub(super) fn deliver(&self, tenant: TenantId, event: &Event) {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        let mut most = usize::MAX;
        if self.held.is_too_much() {
            // Queues of one tenant keep the same events, so the longest is what it has.
            // Half, so that this is not done again for each event.
            most = held::MOST / 2 / tenants.len().max(1);
            self.shrink(&tenants, most);
        }
        for queue in of(&tenants, tenant) {
            queue.push(event, most);
        }
    }

    /// Those that nothing is published for keep no more than their share either.
    fn shrink(&self, tenants: &HashMap<TenantId, Queues>, most: usize) {
        // Whoever does it does it for all.
        let Ok(mut swept) = self.swept.try_lock() else {
            return;
        };
        if swept.is_some_and(|last| last.elapsed() < SWEEP) {
            return;
        }
        for queue in tenants.values().flat_map(HashMap::values) {
            queue.shrink(most);
        }
        *swept = Some(Instant::now());
    }

    /// Events of this tenant were lost on the way here.
    pub(super) fn gap_of(&self, tenant: TenantId) {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        of(&tenants, tenant).for_each(|queue| queue.gap());
    }

    /// Events of any tenant may have been lost on the way here.
    pub(super) fn gap(&self) {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        for queue in tenants.values().flat_map(HashMap::values) {
            queue.gap();
        }
    }
}

fn of(tenants: &HashMap<TenantId, Queues>, tenant: TenantId) -> impl Iterator<Item = &Arc<Queue>> {
    tenants.get(&tenant).into_iter().flat_map(HashMap::values)
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::super::event::Delivery;
    use super::super::queue::Overflow;
    use super::*;

    #[test]
    fn only_those_who_keep_more_than_their_share_lose_while_all_keep_too_much() {
        let local = Local::default();
        let tenants: Vec<_> = (0..100)
            .map(|_| {
                let tenant = TenantId::generate();
                let queue = Arc::new(Queue::new(Overflow::SkipOldest));
                local.add(tenant, &queue);
                (tenant, queue)
            })
            .collect();
        let [(noisy, lazy), (quiet, reads), ..] = &*tenants else {
            panic!("a hundred");
        };
        let event = |size| Event::new("k", &"x".repeat(size), &local.held).unwrap();
        for _ in 0..16 {
            local.deliver(*noisy, &event(60_000));
        }
        local.deliver(*quiet, &event(1));
        local.deliver(*quiet, &event(2));
        // As if all the others kept much.
        let others = local.held.hold(held::MOST);
        let before = local.held.sum();
        local.deliver(*quiet, &event(3));
        assert!(
            local.held.sum() < before - 500_000,
            "the noisy has its share"
        );
        let next = |queue: &Queue| match queue.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Delivery::Event(event))) => event.json().len(),
            other => panic!("{other:?}"),
        };
        assert_eq!([3, 4, 5], [next(reads), next(reads), next(reads)]);
        let missed = lazy.poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(
            missed,
            Poll::Ready(Some(Delivery::Missed {
                count: Some(11..16)
            }))
        ));
        drop(others);
        for (tenant, queue) in &tenants {
            local.remove(*tenant, queue);
            assert!(!local.listens(*tenant));
        }
    }
}
