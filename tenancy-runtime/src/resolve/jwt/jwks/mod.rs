//! Keys that are published and change: a JSON Web Key Set from a file, a URL or
//! the application's own client.
//!
//! A token cannot make us fetch more than once in a while, nor from anywhere
//! else than the configuration says: `jku`, `x5u` and `kid` are never followed.

mod fetch;
mod set;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jsonwebtoken::Algorithm;
use tokio::sync::{Mutex as Flight, OwnedMutexGuard};
use tokio::time::Instant;

use super::key::{InvalidKey, Key};
use crate::error::{Error, Result};
use fetch::{File, Url};

pub use fetch::FetchKeys;
pub(super) use set::KeySet;

/// How long keys that were fetched are used. The times are counted from the last
/// answer that could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotation {
    /// There is at most one fetch in this time, whatever comes: a key that the
    /// set does not have may be a new one, or made up. 30 seconds unless said.
    pub retry: Duration,
    /// After this time the set is fetched anew, so that a key that is withdrawn
    /// is refused. 5 minutes unless said.
    pub refresh: Duration,
    /// For this long the keys are used although the endpoint is away. After it
    /// every token is answered 503. One hour unless said.
    pub keep: Duration,
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            retry: Duration::from_secs(30),
            refresh: Duration::from_secs(5 * 60),
            keep: Duration::from_secs(60 * 60),
        }
    }
}

impl Rotation {
    /// These three times.
    #[must_use]
    pub fn new(retry: Duration, refresh: Duration, keep: Duration) -> Self {
        Self {
            retry,
            refresh,
            keep,
        }
    }
}

/// How long a flight may take; ours are given up before.
const LONGEST_FLIGHT: Duration = Duration::from_secs(6);

/// The set as it was last fetched, and what fetches it anew.
pub(super) struct Jwks {
    fetch: Arc<dyn FetchKeys>,
    held: Arc<Mutex<Held>>,
    /// Held by the one fetch that is on its way.
    flight: Arc<Flight<()>>,
    rotation: Rotation,
}

#[derive(Default, Clone)]
struct Held {
    keys: Arc<KeySet>,
    fetched: Option<Instant>,
    attempted: Option<Instant>,
}

impl Jwks {
    pub(super) fn new(fetch: impl FetchKeys) -> Self {
        Self {
            fetch: Arc::new(fetch),
            held: Arc::default(),
            flight: Arc::default(),
            rotation: Rotation::default(),
        }
    }

    /// The same set, with other times.
    pub(super) fn with(&self, rotation: Rotation) -> Self {
        Self {
            fetch: Arc::clone(&self.fetch),
            held: Arc::default(),
            flight: Arc::default(),
            rotation,
        }
    }

    /// From an `http://` URL, fetched when the first token comes.
    pub(super) fn url(url: &str) -> Result<Self, InvalidKey> {
        Url::parse(url).map(Self::new)
    }

    /// From a file, which has to be there and in order now.
    pub(super) fn file(path: PathBuf) -> Result<Self, InvalidKey> {
        let text = std::fs::read(&path)
            .map_err(|error| InvalidKey::new(format!("is a file that cannot be read: {error}")))?;
        let keys = KeySet::parse(&text)?;
        if keys.is_empty() {
            return Err(InvalidKey::new("has no key that tokens can be signed with"));
        }
        Ok(Self::new(File(path)))
    }

    /// The keys that a token of this header may be signed with.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] while there are no keys to be had.
    pub(super) async fn find(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Vec<Arc<Key>>> {
        let held = self.held();
        let fresh = held.younger_than(self.rotation.refresh);
        if !fresh || !held.keys.knows(kid) {
            let usable = held.younger_than(self.rotation.keep) && held.keys.knows(kid);
            self.refresh(usable).await;
        }
        let held = self.held();
        if !held.younger_than(self.rotation.keep) {
            return Err(Error::unavailable("the keys for tokens cannot be fetched"));
        }
        Ok(held.keys.find(kid, algorithm))
    }

    /// Fetches unless that was done a moment ago. Who comes while another's fetch
    /// is on its way waits for it; who is `served` with what is held does not.
    async fn refresh(&self, served: bool) {
        if self.held().attempted_within(self.rotation.retry) && self.flight.try_lock().is_ok() {
            return;
        }
        let guard = match Arc::clone(&self.flight).try_lock_owned() {
            Ok(guard) => guard,
            Err(_) if served => return,
            Err(_) => Arc::clone(&self.flight).lock_owned().await,
        };
        // The one that was waited for has answered this one as well.
        if self.held().attempted_within(self.rotation.retry) {
            return;
        }
        self.change(|held| held.attempted = Some(Instant::now()));
        // On a task of its own: a client that hangs up must not take the fetch
        // with it, or those who always do would keep us from every new key.
        let _ = tokio::spawn(Self::fly(
            Arc::clone(&self.fetch),
            Arc::clone(&self.held),
            guard,
        ))
        .await;
    }

    async fn fly(fetch: Arc<dyn FetchKeys>, held: Arc<Mutex<Held>>, guard: OwnedMutexGuard<()>) {
        let answer = tokio::time::timeout(LONGEST_FLIGHT, fetch.fetch()).await;
        let answer = answer.unwrap_or_else(|_| Err("there was no answer in time".into()));
        let keys = answer.and_then(|text| KeySet::parse(&text).map_err(Into::into));
        match keys {
            Ok(keys) => {
                let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
                held.keys = Arc::new(keys);
                held.fetched = Some(Instant::now());
            }
            Err(error) => tracing::warn!(%error, "the keys for tokens could not be fetched"),
        }
        drop(guard);
    }

    fn held(&self) -> Held {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }

    fn change(&self, change: impl FnOnce(&mut Held)) {
        change(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Held {
    fn younger_than(&self, age: Duration) -> bool {
        self.fetched.is_some_and(|at| at.elapsed() <= age)
    }

    fn attempted_within(&self, time: Duration) -> bool {
        self.attempted.is_some_and(|at| at.elapsed() < time)
    }
}
