use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::event::{Delivery, Event};

/// The most events that lie for one subscriber.
const MOST: usize = 1_024;

/// The most bytes of events that lie for one subscriber.
const MOST_BYTES: usize = 1024 * 1024;

/// What happens to a subscriber who reads more slowly than events are published, and
/// for whom 1,024 of them lie, or 1 MiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest events are dropped, and the subscriber is told how many.
    #[default]
    SkipOldest,
    /// The subscription ends: the consumer comes back and reads everything anew.
    Close,
}

/// What lies for one subscriber. Its size is bounded, whatever the subscriber does.
#[derive(Debug)]
pub(super) struct Queue {
    overflow: Overflow,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event>,
    bytes: usize,
    /// How many events were dropped since the subscriber was last told.
    skipped: u64,
    /// Whether others were lost on the way to this process.
    gap: bool,
    closed: bool,
    waker: Option<Waker>,
}

impl Queue {
    pub(super) fn new(overflow: Overflow) -> Self {
        Self {
            overflow,
            state: Mutex::default(),
        }
    }

    /// Puts an event behind the others, of which no more than so many bytes lie there
    /// then, or it alone.
    pub(super) fn push(&self, event: &Event, most_bytes: usize) {
        let mut state = self.state();
        let most_bytes = most_bytes.min(MOST_BYTES);
        self.drop_while(&mut state, |state| {
            let is_empty = state.events.is_empty();
            state.events.len() >= MOST || (!is_empty && state.bytes + event.size() > most_bytes)
        });
        if state.closed {
            return wake(state);
        }
        state.bytes += event.size();
        state.events.push_back(event.clone());
        wake(state);
    }

    /// Has no more than so many bytes lie here, or one event.
    pub(super) fn shrink(&self, most_bytes: usize) {
        let mut state = self.state();
        self.drop_while(&mut state, |state| {
            state.events.len() > 1 && state.bytes > most_bytes
        });
        if state.closed {
            wake(state);
        }
    }

    /// Drops the oldest while it is too much, or all where the subscriber wants that.
    fn drop_while(&self, state: &mut State, too_much: impl Fn(&State) -> bool) {
        while too_much(state) {
            if self.overflow == Overflow::Close {
                // What lies there is not read any more.
                *state = State {
                    closed: true,
                    waker: state.waker.take(),
                    ..State::default()
                };
                return;
            }
            if let Some(oldest) = state.events.pop_front() {
                state.bytes -= oldest.size();
                state.skipped += 1;
            }
        }
    }

    /// Events may have been lost on the way here.
    pub(super) fn gap(&self) {
        let mut state = self.state();
        state.gap = true;
        wake(state);
    }

    /// The next one; `None` when it was closed by an overflow.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        let mut state = self.state();
        if state.closed {
            return Poll::Ready(None);
        }
        // First: what was skipped is older than all that lies here.
        let (skipped, gap) = (state.skipped, state.gap);
        if skipped > 0 || gap {
            (state.skipped, state.gap) = (0, false);
            let count = (!gap).then_some(skipped);
            return Poll::Ready(Some(Delivery::Missed { count }));
        }
        if let Some(event) = state.events.pop_front() {
            state.bytes -= event.size();
            if state.events.is_empty() && state.events.capacity() > 64 {
                state.events = VecDeque::new();
            }
            return Poll::Ready(Some(Delivery::Event(event)));
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock can leave it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without the lock, as who is woken may want it at once.
fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::super::held::Held;
    use super::*;

    fn next(queue: &Queue) -> Poll<Option<Delivery>> {
        queue.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn number(delivery: Poll<Option<Delivery>>) -> u64 {
        match delivery {
            Poll::Ready(Some(Delivery::Event(event))) => event.data().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_does_not_read_is_told_how_many_were_dropped() {
        let (held, queue) = (Held::default(), Queue::new(Overflow::SkipOldest));
        for number in 0..(MOST as u64 + 10) {
            queue.push(&Event::new("n", &number, &held).unwrap(), usize::MAX);
        }
        let Poll::Ready(Some(Delivery::Missed { count })) = next(&queue) else {
            panic!("nothing was missed");
        };
        assert_eq!(count, Some(10));
        for expected in 10..(MOST as u64 + 10) {
            assert_eq!(number(next(&queue)), expected);
        }
        assert!(next(&queue).is_pending());
        assert_eq!(held.sum(), 0, "what is read is kept no longer");
    }

    #[test]
    fn what_lies_for_one_is_bounded_in_bytes() {
        let (held, queue) = (Held::default(), Queue::new(Overflow::SkipOldest));
        let large = "x".repeat(50_000);
        for _ in 0..60 {
            queue.push(&Event::new("n", &large, &held).unwrap(), usize::MAX);
        }
        assert!(held.sum() <= MOST_BYTES, "{}", held.sum());
        // While everybody together keeps too much, it is less, but for one event.
        queue.shrink(MOST_BYTES / 2);
        assert!(held.sum() <= MOST_BYTES / 2, "{}", held.sum());
        queue.shrink(0);
        assert!((50_000..51_000).contains(&held.sum()), "{}", held.sum());
        queue.push(&Event::new("n", &1, &held).unwrap(), 0);
        assert!(held.sum() < 300, "{}", held.sum());
        drop(queue);
        assert_eq!(held.sum(), 0);
    }

    #[test]
    fn who_wants_all_or_nothing_is_closed() {
        let (held, queue) = (Held::default(), Queue::new(Overflow::Close));
        for number in 0..=MOST {
            assert!(!queue.state().closed, "{number}");
            queue.push(&Event::new("n", &number, &held).unwrap(), usize::MAX);
        }
        assert!(matches!(next(&queue), Poll::Ready(None)));
        assert_eq!(held.sum(), 0);
        queue.push(&Event::new("n", &1, &held).unwrap(), usize::MAX);
        assert_eq!(held.sum(), 0, "nothing is kept for nobody");
    }

    #[test]
    fn a_gap_is_told_once_and_before_what_follows() {
        let (held, queue) = (Held::default(), Queue::new(Overflow::SkipOldest));
        queue.gap();
        queue.gap();
        queue.push(&Event::new("n", &7, &held).unwrap(), usize::MAX);
        let gap = next(&queue);
        assert!(matches!(
            gap,
            Poll::Ready(Some(Delivery::Missed { count: None }))
        ));
        assert_eq!(number(next(&queue)), 7);
    }
}
