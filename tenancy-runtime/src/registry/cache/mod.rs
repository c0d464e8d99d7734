//! Tenants from memory, which are right across processes.
//!
//! An [`Entry`] is read once, by a task of its own: those who ask meanwhile wait for
//! the same outcome, a failure as well, and none of them can hold up the others by
//! going away or by not going on. A change of a tenant takes its entry out of the
//! map, and the next look-up makes another one: what is still being read for the
//! old entry can be seen by those who asked before the change and by nobody after
//! it.
//!
//! How a process learns of changes decides how long it may believe an entry.
//! While it [`listen`]s, PostgreSQL tells it of each change after its commit, and
//! entries last. While it does not (no connection, a pooler in between, the
//! embedded database), an entry lasts one second. Either way a suspension is in
//! force everywhere within [`BOUND`]. What the process changes itself it forgets
//! at once.
//!
//! Where there is a Redis, processes tell each other as well, and may share what they
//! look up ([`Shared`]); neither makes an entry last longer.
//!
//! When the registry cannot be reached, a tenant that was active goes on being
//! served up to a limit that the deployment sets: an outage of the registry is not
//! one of the tenants' own databases. Nobody is let in whom it did not know.

mod listen;
#[cfg(feature = "redis")]
mod shared;
#[cfg(test)]
mod tests;
#[cfg(not(feature = "redis"))]
mod unshared;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::ops::compute::Op;
use moka::sync::Cache;
use tokio::sync::watch;

use super::TenantRegistry;
use crate::error::{Error, Result};
use crate::http::HostName;
use crate::tenant::{Slug, TenantRecord, TenantStatus};

pub(crate) use listen::listen;
#[cfg(feature = "redis")]
use shared::Found;
#[cfg(feature = "redis")]
pub(crate) use shared::{Shared, hear};
#[cfg(not(feature = "redis"))]
use unshared::Found;
#[cfg(not(feature = "redis"))]
pub(crate) use unshared::{Shared, hear};

/// How long an entry lasts of which no change is told.
const UNTOLD: Duration = Duration::from_secs(1);

/// How long one lasts of which changes are told: it is read anew now and then, so
/// that no mistake lasts for ever.
const TOLD: Duration = Duration::from_secs(60);

/// How long a name is remembered that nobody has.
const UNKNOWN: Duration = Duration::from_secs(5);

/// How long a process counts as told after it last heard from PostgreSQL.
const HEARD: Duration = Duration::from_millis(900);

/// How long a process that knows of a change does not go by what others have read:
/// longer than anything that was read before it is shared.
const PAST: Duration = Duration::from_secs(1);

/// The longest that a change takes to be in force in another process. With
/// notification it takes milliseconds.
const BOUND: Duration = Duration::from_secs(2);

/// What a deployment chooses.
#[derive(Clone)]
pub(crate) struct CacheSettings {
    /// The most names that are remembered, those that nobody has included.
    pub(crate) size: u64,
    /// How long active tenants are served while the registry cannot be reached,
    /// from when they were last known to be active.
    pub(crate) outage_limit: Duration,
    /// The longest that the registry may take.
    pub(crate) patience: Duration,
    /// What is shared with other processes, where there is a Redis.
    pub(crate) shared: Option<Arc<Shared>>,
}

/// Finds tenants, in memory first. Cheap to clone.
#[derive(Clone)]
pub(crate) struct TenantCache(Arc<Inner>);

struct Inner {
    registry: Arc<dyn TenantRegistry>,
    /// What other processes are told, and have looked up.
    shared: Option<Arc<Shared>>,
    /// `None`: each look-up asks the registry.
    entries: Option<Cache<Name, Arc<Entry>>>,
    outage_limit: Duration,
    patience: Duration,
    /// Goes up with each change.
    changes: watch::Sender<u64>,
    since: Instant,
    /// When PostgreSQL was last heard, in milliseconds after `since`.
    heard_at: AtomicU64,
    /// Whether it is still listened to.
    listens: AtomicBool,
    /// When this process last learned of a change, in milliseconds after `since`.
    changed_at: AtomicU64,
}

/// What tenants are looked up by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Name {
    Slug(Slug),
    /// A domain of the tenant's own.
    Domain(HostName),
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Slug(slug) => slug.fmt(f),
            Self::Domain(domain) => domain.fmt(f),
        }
    }
}

/// A name that somebody looks up or has looked up.
struct Entry {
    /// `None` until it has been read.
    outcome: watch::Receiver<Option<Outcome>>,
}

type Outcome = Result<Reading, Arc<Error>>;

impl Entry {
    /// The outcome, if there is one by now.
    fn outcome(&self) -> Option<Outcome> {
        self.outcome.borrow().clone()
    }
}

#[derive(Debug, Clone)]
struct Reading {
    tenant: Option<Arc<TenantRecord>>,
    /// When the registry said so, at the earliest.
    at: Instant,
    /// When it was last asked: later, if it could not be reached then.
    asked: Instant,
}

impl Reading {
    fn new(tenant: Option<Arc<TenantRecord>>, at: Instant) -> Self {
        Self {
            tenant,
            at,
            asked: at,
        }
    }
}

impl TenantCache {
    /// Remembers what `registry` says; nothing without `settings`.
    pub(crate) fn new(registry: Arc<dyn TenantRegistry>, settings: Option<CacheSettings>) -> Self {
        let size = settings.as_ref().map(|settings| settings.size);
        let outage_limit = settings.as_ref().map(|settings| settings.outage_limit);
        let patience = settings.as_ref().map(|settings| settings.patience);
        Self(Arc::new(Inner {
            registry,
            entries: size.map(Cache::new),
            outage_limit: outage_limit.unwrap_or(Duration::ZERO),
            patience: patience.unwrap_or(Duration::MAX),
            shared: settings.and_then(|settings| settings.shared),
            changes: watch::Sender::new(0),
            since: Instant::now(),
            heard_at: AtomicU64::new(0),
            listens: AtomicBool::new(false),
            changed_at: AtomicU64::new(0),
        }))
    }

    /// The tenant of this name.
    ///
    /// # Errors
    ///
    /// Those of the registry.
    pub(crate) async fn find(&self, slug: &Slug) -> Result<Option<Arc<TenantRecord>>> {
        Ok(self.look_up(&Name::Slug(slug.clone())).await?.tenant)
    }

    /// The same, and until when at least that was so.
    ///
    /// # Errors
    ///
    /// Those of the registry.
    pub(crate) async fn find_as_of(
        &self,
        slug: &Slug,
    ) -> Result<(Option<Arc<TenantRecord>>, Instant)> {
        let reading = self.look_up(&Name::Slug(slug.clone())).await?;
        let known = self.known_until(&reading);
        Ok((reading.tenant, known))
    }

    /// How long an active tenant is served of which nobody can say any more whether it
    /// is one: as long as a change may take to be in force, at least.
    pub(crate) fn outage_limit(&self) -> Duration {
        self.0.outage_limit.max(BOUND)
    }

    /// The tenant that has this domain. What it says of its status may be older
    /// than what is found by the slug.
    ///
    /// # Errors
    ///
    /// Those of the registry.
    pub(crate) async fn find_by_domain(
        &self,
        domain: &HostName,
    ) -> Result<Option<Arc<TenantRecord>>> {
        Ok(self.look_up(&Name::Domain(domain.clone())).await?.tenant)
    }

    async fn look_up(&self, name: &Name) -> Result<Reading> {
        let Some(entries) = &self.0.entries else {
            let at = Instant::now();
            return Ok(Reading::new(self.ask(name).await?.map(Arc::new), at));
        };
        let mut outcome = self.entry(entries, name).outcome.clone();
        let outcome = outcome.wait_for(Option::is_some).await;
        let outcome = outcome.map(|outcome| outcome.clone());
        match outcome {
            Ok(Some(Ok(reading))) => Ok(reading),
            Ok(Some(Err(error))) => Err(again(&error)),
            // The task has panicked, or the process ends.
            Ok(None) | Err(_) => Err(Error::unavailable("the registry's answer was lost")),
        }
    }

    /// The entry to go by: another one, if what is there has lasted too long.
    fn entry(&self, entries: &Cache<Name, Arc<Entry>>, name: &Name) -> Arc<Entry> {
        let entry = entries.get_with_by_ref(name, || self.begin(name, None));
        let before = match entry.outcome() {
            // Unless who reads it is gone without a word, by a panic: then it is read anew.
            None if entry.outcome.has_changed().is_ok() => return entry,
            None => None,
            Some(Ok(reading)) if self.lasts(&reading) => return entry,
            Some(Ok(reading)) => Some(reading),
            Some(Err(_)) => None,
        };
        // Unless it was forgotten meanwhile: then what it said is nothing to fall
        // back on.
        entries
            .entry_by_ref(name)
            .and_compute_with(|there| match there {
                Some(there) if Arc::ptr_eq(there.value(), &entry) => {
                    Op::Put(self.begin(name, before))
                }
                _ => Op::Nop,
            });
        entries.get_with_by_ref(name, || self.begin(name, None))
    }

    /// An entry that is being read; `before` is what it takes the place of.
    fn begin(&self, name: &Name, before: Option<Reading>) -> Arc<Entry> {
        let (sender, outcome) = watch::channel(None);
        let (this, name) = (self.clone(), name.clone());
        tokio::spawn(async move {
            let read = this.read(&name, before.as_ref()).await;
            sender.send_replace(Some(read.map_err(Arc::new)));
        });
        Arc::new(Entry { outcome })
    }

    fn lasts(&self, reading: &Reading) -> bool {
        let longest = match &reading.tenant {
            _ if !self.is_told() || reading.at < reading.asked => UNTOLD,
            Some(_) => TOLD,
            None => UNKNOWN,
        };
        reading.asked.elapsed() < longest
    }

    async fn ask(&self, name: &Name) -> Result<Option<TenantRecord>> {
        match name {
            Name::Slug(slug) => self.0.registry.find(slug).await,
            Name::Domain(domain) => self.0.registry.find_by_domain(domain).await,
        }
    }

    async fn read(&self, name: &Name, before: Option<&Reading>) -> Result<Reading> {
        // Before the registry is asked: what it says is as new as this at least.
        let at = Instant::now();
        let mut to_share = None;
        if let (Name::Slug(slug), Some(shared)) = (name, &self.0.shared)
            && self.may_share()
        {
            match shared.find(slug).await {
                Some(Found::Read(tenant, ago)) => {
                    let at = at.checked_sub(ago).unwrap_or(at);
                    return Ok(Reading::new(tenant, at));
                }
                Some(Found::Nothing(until)) => to_share = Some((shared, slug, until)),
                None => {}
            }
        }
        let found = tokio::time::timeout(self.0.patience, self.ask(name));
        let found = found
            .await
            .unwrap_or_else(|_| Err(Error::unavailable("the registry did not answer in time")));
        match found {
            Ok(tenant) => {
                if let Some((shared, slug, until)) = to_share {
                    shared.keep(slug, tenant.as_ref(), until);
                }
                Ok(Reading::new(tenant.map(Arc::new), at))
            }
            Err(away @ Error::Unavailable(_)) => {
                let before = before.filter(|before| self.outlasts_an_outage(before));
                let before = before.ok_or(away)?;
                tracing::warn!(
                    %name, for_seconds = before.at.elapsed().as_secs(),
                    "served from memory: the registry cannot be reached"
                );
                Ok(Reading {
                    asked: Instant::now(),
                    ..before.clone()
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Until when at least a reading is right that is still remembered.
    fn known_until(&self, reading: &Reading) -> Instant {
        // An entry that is there while changes are told is right until then.
        let heard = self.0.since + Duration::from_millis(self.0.heard_at.load(Ordering::Acquire));
        reading.at.max(heard)
    }

    fn outlasts_an_outage(&self, reading: &Reading) -> bool {
        let tenant = reading.tenant.as_ref();
        tenant.is_some_and(|tenant| tenant.status == TenantStatus::Active)
            && self.known_until(reading).elapsed() < self.0.outage_limit
    }

    /// This process has changed a tenant of this name.
    pub(crate) async fn changed(&self, slug: &Slug) {
        self.forget(slug);
        if let Some(shared) = &self.0.shared {
            shared.announce(slug).await;
        }
    }

    /// A tenant of this name has changed, come or gone.
    fn forget(&self, slug: &Slug) {
        self.forget_name(&Name::Slug(slug.clone()));
    }

    /// Somebody has got or lost this domain.
    pub(crate) fn forget_domain(&self, domain: &HostName) {
        self.forget_name(&Name::Domain(domain.clone()));
    }

    fn forget_name(&self, name: &Name) {
        self.look_past_others();
        if let Some(entries) = &self.0.entries {
            entries.invalidate(name);
        }
        self.0.changes.send_modify(|changes| *changes += 1);
    }

    /// Any tenant may have changed.
    fn forget_all(&self) {
        self.look_past_others();
        if let Some(entries) = &self.0.entries {
            entries.invalidate_all();
        }
        self.0.changes.send_modify(|changes| *changes += 1);
    }

    /// What others have read may be older than a change that is known here: said
    /// before anything is read anew.
    fn look_past_others(&self) {
        self.0.changed_at.store(self.now(), Ordering::Release);
    }

    /// Whether what others have read is as new as what is known here.
    fn may_share(&self) -> bool {
        let changed = Duration::from_millis(self.0.changed_at.load(Ordering::Acquire));
        self.0.since.elapsed().saturating_sub(changed) > PAST
    }

    /// In milliseconds after `since`.
    fn now(&self) -> u64 {
        u64::try_from(self.0.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Sees each change of any tenant that this process learns of.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// How many names are remembered, those that nobody has included.
    pub(crate) fn size(&self) -> u64 {
        self.0.entries.as_ref().map_or(0, |entries| {
            entries.run_pending_tasks();
            entries.entry_count()
        })
    }

    /// Whether it is of use to listen for changes.
    pub(crate) fn remembers(&self) -> bool {
        self.0.entries.is_some()
    }

    /// What is shared with other processes.
    pub(crate) fn shared(&self) -> Option<&Arc<Shared>> {
        self.0.shared.as_ref()
    }

    /// PostgreSQL has just been heard.
    fn heard(&self) {
        self.0.heard_at.store(self.now(), Ordering::Release);
        self.0.listens.store(true, Ordering::Release);
    }

    /// Nothing is heard any more.
    fn deaf(&self) {
        self.0.listens.store(false, Ordering::Release);
    }

    fn is_told(&self) -> bool {
        let heard = Duration::from_millis(self.0.heard_at.load(Ordering::Acquire));
        self.0.listens.load(Ordering::Acquire)
            && self.0.since.elapsed().saturating_sub(heard) < HEARD
    }
}

/// The same error for another who waits.
fn again(error: &Error) -> Error {
    match error {
        Error::Unavailable(cause) => Error::unavailable(cause.to_string()),
        Error::CannotStart(problems) => Error::CannotStart(problems.clone()),
        other => Error::internal(other.to_string()),
    }
}

impl std::fmt::Debug for TenantCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.0.entries.as_ref().map(Cache::entry_count);
        f.debug_struct("TenantCache")
            .field("names", &names)
            .field("told", &self.is_told())
            .finish_non_exhaustive()
    }
}
