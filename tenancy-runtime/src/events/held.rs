use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most bytes of events that a process keeps for those who have not read them.
pub(super) const MOST: usize = 64 * 1024 * 1024;

/// A part of the memory that events take, given back when it is dropped. The parts
/// of one process have one sum.
#[derive(Debug, Default)]
pub(super) struct Held {
    sum: Arc<AtomicUsize>,
    part: usize,
}

impl Held {
    /// Another part.
    pub(super) fn hold(&self, part: usize) -> Self {
        self.sum.fetch_add(part, Ordering::AcqRel);
        Self {
            sum: Arc::clone(&self.sum),
            part,
        }
    }

    /// Whether so much is kept that nobody may let more lie than a share of it.
    pub(super) fn is_too_much(&self) -> bool {
        self.sum.load(Ordering::Acquire) > MOST
    }

    /// The bytes of all parts.
    pub(super) fn sum(&self) -> usize {
        self.sum.load(Ordering::Acquire)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.sum.fetch_sub(self.part, Ordering::AcqRel);
    }
}
