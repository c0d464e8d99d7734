//! What is counted for one key: requests by slice of time.

use crate::plan::Per;

/// Into how many slices the time of a limit is cut. What was counted in one
/// comes back at once, so a client gets its requests back at most this part of
/// the time late.
pub(super) const SLICES: u64 = 60;

/// The slices that may lie within one time that ends now: both ends are cut.
const KEPT: usize = SLICES as usize + 1;

/// How long a slice is, in microseconds; rounded up, as too long is too strict
/// and too short would let more through than the limit.
pub(super) const fn slice_micros(per: Per) -> u64 {
    (per.seconds() as u64 * 1_000_000).div_ceil(SLICES)
}

/// The counts of the last slices, as a ring.
#[derive(Debug)]
pub(super) struct Window {
    counts: [u32; KEPT],
    /// The newest slice there is a count for.
    newest: u64,
}

impl Window {
    pub(super) fn new() -> Self {
        Self {
            counts: [0; KEPT],
            newest: 0,
        }
    }

    /// The newest slice in which something was counted.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// How much is counted in the time that ends in `slice`, and the oldest
    /// slice of it that has something.
    pub(super) fn used(&self, slice: u64) -> (u32, Option<u64>) {
        let mut used = 0;
        let mut oldest = None;
        for kept in slice.saturating_sub(SLICES)..=slice {
            // A slice from before or after the ring's reach has no count in it.
            let in_ring = kept <= self.newest && kept + SLICES >= self.newest;
            let count = if in_ring { self.counts[place(kept)] } else { 0 };
            if count > 0 {
                used = count.saturating_add(used);
                oldest = oldest.or(Some(kept));
            }
        }
        (used, oldest)
    }

    /// Counts one more request in `slice`.
    pub(super) fn count(&mut self, slice: u64) {
        let passed = slice.saturating_sub(self.newest).min(KEPT as u64);
        for empty in (slice + 1).saturating_sub(passed)..=slice {
            self.counts[place(empty)] = 0;
        }
        self.newest = self.newest.max(slice);
        self.counts[place(slice)] += 1;
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the remainder is small whatever a `usize` is"
)]
fn place(slice: u64) -> usize {
    (slice % KEPT as u64) as usize
}

/// Microseconds until the slice `oldest` counts no more.
pub(super) fn until_gone(oldest: u64, now: u64, slice_micros: u64) -> u64 {
    ((oldest + SLICES + 1) * slice_micros).saturating_sub(now)
}
