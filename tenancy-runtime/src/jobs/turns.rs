//! Whose job is next: tenants in turn, however many jobs each has waiting.

use std::collections::{HashMap, VecDeque};

use crate::tenant::TenantId;

/// How many jobs there may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// That run, of all tenants.
    at_once: usize,
    /// That run, of one tenant.
    of_one: usize,
    /// That wait, for each tenant.
    waiting: usize,
}

impl Bounds {
    /// One tenant never has more than half of the places, rounded up, and so never all where
    /// there are two or more: jobs that take long keep others waiting for a place, and not
    /// for the whole of them.
    pub(crate) fn new(at_once: u32, waiting: u32) -> Self {
        Self {
            at_once: at_once as usize,
            of_one: at_once.div_ceil(2) as usize,
            waiting: waiting as usize,
        }
    }

    /// How many of one tenant may wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }
}

/// Jobs that wait, and how many run.
#[derive(Debug)]
pub(super) struct Turns<J> {
    bounds: Bounds,
    lanes: HashMap<TenantId, Lane<J>>,
    /// The tenants that have a job which may begin, each once.
    order: VecDeque<TenantId>,
    running: usize,
}

#[derive(Debug)]
struct Lane<J> {
    waiting: VecDeque<J>,
    running: usize,
}

impl<J> Lane<J> {
    fn is_ready(&self, bounds: Bounds) -> bool {
        !self.waiting.is_empty() && self.running < bounds.of_one
    }
}

impl<J> Turns<J> {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            lanes: HashMap::new(),
            order: VecDeque::new(),
            running: 0,
        }
    }

    /// Has a job wait, or gives it back where as many wait as may.
    pub(super) fn add(&mut self, tenant: TenantId, job: J) -> Result<(), J> {
        let lane = self.lanes.entry(tenant).or_insert_with(|| Lane {
            waiting: VecDeque::new(),
            running: 0,
        });
        if lane.waiting.len() >= self.bounds.waiting {
            return Err(job);
        }
        let listed = lane.is_ready(self.bounds);
        lane.waiting.push_back(job);
        if !listed && lane.is_ready(self.bounds) {
            self.order.push_back(tenant);
        }
        Ok(())
    }

    /// The job to begin now, if one may.
    pub(super) fn next(&mut self) -> Option<J> {
        if self.running >= self.bounds.at_once {
            return None;
        }
        let tenant = self.order.pop_front()?;
        let lane = self.lanes.get_mut(&tenant)?;
        let job = lane.waiting.pop_front()?;
        lane.running += 1;
        self.running += 1;
        if lane.is_ready(self.bounds) {
            self.order.push_back(tenant);
        }
        Some(job)
    }

    /// A job of this tenant that was [`next`](Self::next) is over.
    pub(super) fn ended(&mut self, tenant: TenantId) {
        let Some(lane) = self.lanes.get_mut(&tenant) else {
            return;
        };
        let listed = lane.is_ready(self.bounds);
        lane.running -= 1;
        self.running -= 1;
        if !listed && lane.is_ready(self.bounds) {
            self.order.push_back(tenant);
        }
        // Who has no jobs any more takes no room.
        if lane.running == 0 && lane.waiting.is_empty() {
            self.lanes.remove(&tenant);
        }
    }

    /// Takes out what waits.
    pub(super) fn drain(&mut self) -> Vec<J> {
        self.order.clear();
        let lanes = self.lanes.values_mut();
        let waiting = lanes.flat_map(|lane| lane.waiting.drain(..)).collect();
        self.lanes.retain(|_, lane| lane.running > 0);
        waiting
    }

    /// How many run, and how many wait.
    pub(super) fn numbers(&self) -> (usize, usize) {
        let waiting = self.lanes.values().map(|lane| lane.waiting.len()).sum();
        (self.running, waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CROWD: usize = 10_000;

    fn tenants() -> [TenantId; 3] {
        std::array::from_fn(|_| TenantId::generate())
    }

    /// In which turn B's only job begins behind so many of A's, one at a time.
    fn turn_of_b(mut add: impl FnMut(char), mut next: impl FnMut() -> Option<char>) -> usize {
        (0..CROWD).for_each(|_| add('a'));
        assert_eq!(next(), Some('a'));
        add('b');
        1 + std::iter::from_fn(next).position(|job| job == 'b').unwrap()
    }

    #[test]
    fn ten_thousand_jobs_of_one_tenant_delay_another_s_by_a_turn() {
        let [a, b, _] = tenants();
        let of = |job| if job == 'a' { a } else { b };
        let turns = std::cell::RefCell::new(Turns::new(Bounds::new(1, 10_000)));
        let turn = turn_of_b(
            |job| turns.borrow_mut().add(of(job), job).unwrap(),
            || {
                let mut turns = turns.borrow_mut();
                // The one that ran is over, if there was one.
                if turns.running > 0 {
                    let [of_a, of_b] = [a, b].map(|id| turns.lanes.get(&id).map(|l| l.running));
                    assert_eq!(of_a.unwrap_or(0) + of_b.unwrap_or(0), 1);
                    turns.ended(if of_a == Some(1) { a } else { b });
                }
                turns.next()
            },
        );
        assert!(turn <= 2, "{turn}");
        // The twin: in one queue it waits for all of them.
        let queue = std::cell::RefCell::new(VecDeque::new());
        let turn = turn_of_b(
            |job| queue.borrow_mut().push_back(job),
            || queue.borrow_mut().pop_front(),
        );
        assert_eq!(turn, CROWD);
    }

    #[test]
    fn one_tenant_has_half_of_the_places_and_what_ends_makes_room() {
        let [a, b, c] = tenants();
        let mut turns = Turns::new(Bounds::new(4, 100));
        for number in 0..5 {
            turns.add(a, ('a', number)).unwrap();
        }
        let begun: Vec<_> = std::iter::from_fn(|| turns.next()).collect();
        assert_eq!(begun, [('a', 0), ('a', 1)]);
        turns.add(b, ('b', 0)).unwrap();
        assert_eq!(turns.next(), Some(('b', 0)));
        turns.add(c, ('c', 0)).unwrap();
        turns.add(c, ('c', 1)).unwrap();
        assert_eq!(turns.next(), Some(('c', 0)));
        // All places are taken; the one that is free goes to who has waited.
        assert_eq!(turns.next(), None);
        turns.ended(a);
        assert_eq!(turns.next(), Some(('c', 1)));
        turns.ended(b);
        assert_eq!(turns.next(), Some(('a', 2)));
        assert_eq!((turns.next(), turns.numbers()), (None, (4, 2)));
    }

    #[test]
    fn no_tenant_has_all_places_where_there_are_two_or_more() {
        for places in 2..=1_000 {
            let bounds = Bounds::new(places, 1);
            assert!((1..bounds.at_once).contains(&bounds.of_one), "{bounds:?}");
        }
        assert_eq!(Bounds::new(1, 1).of_one, 1);
    }

    #[test]
    fn so_many_wait_for_each_tenant_and_nothing_is_kept_of_those_who_are_done() {
        let [a, b, _] = tenants();
        let mut turns = Turns::new(Bounds::new(1, 2));
        assert_eq!((turns.add(a, 1), turns.add(a, 2)), (Ok(()), Ok(())));
        assert_eq!((turns.add(a, 3), turns.add(b, 4)), (Err(3), Ok(())));
        assert_eq!(turns.next(), Some(1));
        assert_eq!(turns.add(a, 5), Ok(()));
        let mut left = turns.drain();
        left.sort_unstable();
        assert_eq!(left, [2, 4, 5]);
        assert_eq!((turns.next(), turns.numbers()), (None, (1, 0)));
        turns.ended(a);
        assert!(turns.lanes.is_empty() && turns.order.is_empty());
        // It goes on as before.
        assert_eq!((turns.add(a, 6), turns.next()), (Ok(()), Some(6)));
    }
}
