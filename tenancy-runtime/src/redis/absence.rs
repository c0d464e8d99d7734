//! Whether a server is away, and who asks it whether it is back.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long nobody asks after the first failure.
const SHORTEST: Duration = Duration::from_millis(50);
/// How long nobody asks after many.
const LONGEST: Duration = Duration::from_millis(500);

/// While a server is away, one request asks it now and then, and the others do
/// not wait for what they know.
#[derive(Debug, Default)]
pub(super) struct Absence(Mutex<Option<Away>>);

#[derive(Debug)]
struct Away {
    rest: Duration,
    until: Instant,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// Everybody does: the server is there, as far as is known.
    Usual,
    /// This one only, for as long as it waits.
    Probe,
    /// Not this one.
    Rest,
}

impl Absence {
    /// Whether to ask now. A probe that is dropped is followed by another after
    /// `patience`.
    pub(super) fn ask(&self, now: Instant, patience: Duration) -> Ask {
        match &mut *self.locked() {
            None => Ask::Usual,
            Some(away) if now < away.until => Ask::Rest,
            Some(away) => {
                away.until = now + patience;
                Ask::Probe
            }
        }
    }

    /// The server has answered; whether it was away before.
    pub(super) fn is_back(&self) -> bool {
        self.locked().take().is_some()
    }

    /// It has not answered; whether that is news.
    pub(super) fn is_away(&self, now: Instant, asked: Ask) -> bool {
        let mut away = self.locked();
        let rest = match &*away {
            None => SHORTEST,
            // It was asked before that was known.
            Some(_) if asked != Ask::Probe => return false,
            Some(away) => (away.rest * 2).min(LONGEST),
        };
        let until = now + rest;
        away.replace(Away { rest, until }).is_none()
    }

    fn locked(&self) -> MutexGuard<'_, Option<Away>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_asks_at_a_time_and_less_and_less_often() {
        let patience = Duration::from_secs(1);
        let absence = Absence::default();
        let mut now = Instant::now();
        let ask = |now| absence.ask(now, patience);
        assert_eq!(ask(now), Ask::Usual);
        assert!(absence.is_away(now, Ask::Usual));
        assert!(!absence.is_away(now, Ask::Usual), "asked at the same time");
        for rest in [50, 100, 200, 400, 500, 500] {
            now += Duration::from_millis(rest - 1);
            assert_eq!(ask(now), Ask::Rest, "{rest}");
            now += Duration::from_millis(1);
            assert_eq!(ask(now), Ask::Probe, "{rest}");
            assert_eq!(ask(now), Ask::Rest, "while the other asks");
            assert!(!absence.is_away(now, Ask::Probe));
        }
        now += LONGEST;
        assert_eq!(ask(now), Ask::Probe);
        // That one was dropped.
        assert_eq!(ask(now + patience), Ask::Probe);
        assert!(absence.is_back());
        assert_eq!(ask(now), Ask::Usual);
        assert!(!absence.is_back());
    }
}
