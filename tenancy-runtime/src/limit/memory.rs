//! Counting in this process, for applications without Redis.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::key::{Counter, Key};
use super::window::{self, Window};
use super::{Outcome, Reading};

/// The most keys that are counted for: about ten megabytes. Only tenants who
/// were admitted have any.
pub(super) const MOST: usize = 32_768;

/// All windows of this process.
#[derive(Debug)]
pub(super) struct MemoryStore {
    started: Instant,
    most: usize,
    windows: Mutex<HashMap<Key, Window>>,
}

impl MemoryStore {
    pub(super) fn new(most: usize) -> Self {
        Self {
            // A clock that nobody sets.
            started: Instant::now(),
            most,
            windows: Mutex::default(),
        }
    }

    /// Counts one request for all of `counters`, or for none.
    pub(super) fn take(&self, counters: &[Counter]) -> Outcome {
        // The clock is read under the lock: time never goes backwards in a window.
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let now = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        take_at(&mut windows, self.most, now, counters)
    }
}

pub(super) fn take_at(
    windows: &mut HashMap<Key, Window>,
    most: usize,
    now: u64,
    counters: &[Counter],
) -> Outcome {
    let read = |counter: &Counter| {
        let slice = now / window::slice_micros(counter.key.per);
        let window = windows.get(&counter.key);
        window.map_or((0, None), |window| window.used(slice))
    };
    let before: Vec<_> = counters.iter().map(read).collect();
    let admitted = counters
        .iter()
        .zip(&before)
        .all(|(counter, (used, _))| *used < counter.limit.requests());
    if admitted {
        for counter in counters {
            if windows.len() >= most && !windows.contains_key(&counter.key) {
                make_room(windows, most, now);
            }
            let slice = now / window::slice_micros(counter.key.per);
            let window = windows.entry(counter.key).or_insert_with(Window::new);
            window.count(slice);
        }
    }
    let readings = counters
        .iter()
        .zip(before)
        .map(|(counter, (used, oldest))| {
            let length = window::slice_micros(counter.key.per);
            let oldest = oldest.unwrap_or(now / length);
            Reading {
                used: used + u32::from(admitted),
                more_after: Duration::from_micros(window::until_gone(oldest, now, length)),
            }
        });
    Outcome {
        admitted,
        readings: readings.collect(),
    }
}

/// Forgets the windows that are over, and those used longest ago if that is not
/// enough: their tenants start afresh, earlier than they should, where otherwise
/// memory would grow with the tenants. An eighth at a time, so that it is rarely
/// done.
fn make_room(windows: &mut HashMap<Key, Window>, most: usize, now: u64) {
    let over = |key: &Key, window: &Window| {
        let length = window::slice_micros(key.per);
        window::until_gone(window.newest(), now, length) == 0
    };
    windows.retain(|key, window| !over(key, window));
    let keep = most - most.div_ceil(8);
    if windows.len() <= keep {
        return;
    }
    let last_use = |key: &Key, window: &Window| window.newest() * window::slice_micros(key.per);
    let mut by_use: Vec<_> = windows
        .iter()
        .map(|(key, window)| (last_use(key, window), *key))
        .collect();
    let surplus = by_use.len() - keep;
    by_use.select_nth_unstable_by_key(surplus, |(used, _)| *used);
    for (_, key) in &by_use[..surplus] {
        windows.remove(key);
    }
}
