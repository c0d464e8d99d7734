use std::sync::atomic::AtomicUsize;

use async_trait::async_trait;
use tokio::sync::{Mutex, Semaphore};

use super::*;
use crate::db::Transaction;
use crate::tenant::{NewTenant, Receipt, TenantId};

/// A registry whose look-ups count, can be held up, and can fail.
struct Slow {
    tenant: Mutex<Option<TenantRecord>>,
    reads: AtomicUsize,
    /// Look-ups that may end.
    gate: Semaphore,
    away: std::sync::atomic::AtomicBool,
}

impl Slow {
    fn new(tenant: Option<TenantRecord>) -> Arc<Self> {
        Arc::new(Self {
            tenant: Mutex::new(tenant),
            reads: AtomicUsize::new(0),
            gate: Semaphore::new(Semaphore::MAX_PERMITS / 2),
            away: false.into(),
        })
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    async fn set(&self, status: TenantStatus) {
        if let Some(tenant) = &mut *self.tenant.lock().await {
            tenant.status = status;
        }
    }
}

#[async_trait]
impl TenantRegistry for Slow {
    async fn find(&self, _: &Slug) -> Result<Option<TenantRecord>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let found = self.tenant.lock().await.clone();
        // What was found is on its way, and may be late.
        self.gate.acquire().await.expect("open").forget();
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::unavailable("away"));
        }
        Ok(found)
    }

    async fn list(&self, _: Option<&Slug>, _: u32) -> Result<Vec<TenantRecord>> {
        Ok(Vec::new())
    }

    async fn insert(
        &self,
        _: &TenantRecord,
        _: Option<u32>,
        _: Option<&mut Transaction>,
    ) -> Result<()> {
        Ok(())
    }

    async fn lock(&self, _: &Slug, _: Option<&mut Transaction>) -> Result<Option<TenantRecord>> {
        Ok(None)
    }

    async fn save(&self, _: &TenantRecord, _: Option<&mut Transaction>) -> Result<()> {
        Ok(())
    }

    async fn draft(&self, _: &Receipt, _: Option<&mut Transaction>) -> Result<()> {
        Ok(())
    }

    async fn remove(
        &self,
        _: TenantId,
        _: Option<&Receipt>,
        _: Option<&mut Transaction>,
    ) -> Result<()> {
        Ok(())
    }

    async fn receipt(&self, _: &Slug) -> Result<Option<Receipt>> {
        Ok(None)
    }
}

fn acme() -> TenantRecord {
    let new = NewTenant::new("acme-corp").unwrap();
    TenantRecord::new(TenantId::generate(), new, None)
}

fn slug() -> Slug {
    "acme-corp".parse().unwrap()
}

fn cache(registry: &Arc<Slow>) -> TenantCache {
    cache_with(registry, SETTINGS)
}

/// What these tests do not change.
const SETTINGS: CacheSettings = CacheSettings {
    size: 100,
    outage_limit: Duration::from_secs(30),
    patience: Duration::from_secs(5),
    shared: None,
};

fn cache_with(registry: &Arc<Slow>, settings: CacheSettings) -> TenantCache {
    let registry = Arc::clone(registry) as Arc<dyn TenantRegistry>;
    TenantCache::new(registry, Some(settings))
}

async fn status(cache: &TenantCache) -> Option<TenantStatus> {
    let found = cache.find(&slug()).await.unwrap();
    found.map(|tenant| tenant.status)
}

#[tokio::test]
async fn many_who_ask_at_once_ask_the_registry_once() {
    let registry = Slow::new(Some(acme()));
    let cache = cache(&registry);
    let all = (0..200).map(|_| cache.find(&TENANT));
    static TENANT: std::sync::LazyLock<Slug> = std::sync::LazyLock::new(slug);
    let found = futures_util::future::join_all(all).await;
    assert!(found.iter().all(|found| found.as_ref().unwrap().is_some()));
    assert_eq!(registry.reads(), 1);
    // The twin: without a memory each asks.
    let plain = TenantCache::new(Arc::clone(&registry) as Arc<dyn TenantRegistry>, None);
    for _ in 0..5 {
        plain.find(&slug()).await.unwrap();
    }
    assert_eq!(registry.reads(), 6);
}

#[tokio::test]
async fn what_was_read_before_a_change_is_not_remembered_after_it() {
    let registry = Slow::new(Some(acme()));
    let cache = cache(&registry);
    registry.gate.forget_permits(Semaphore::MAX_PERMITS);
    // The look-up has found the tenant active and is held up on its way back.
    let early = tokio::spawn({
        let cache = cache.clone();
        async move { status(&cache).await }
    });
    while registry.reads() == 0 {
        tokio::task::yield_now().await;
    }
    registry.set(TenantStatus::Suspended).await;
    cache.forget(&slug());
    let late = tokio::spawn({
        let cache = cache.clone();
        async move { status(&cache).await }
    });
    while registry.reads() == 1 {
        tokio::task::yield_now().await;
    }
    registry.gate.add_permits(10);
    assert_eq!(
        early.await.unwrap(),
        Some(TenantStatus::Active),
        "asked before"
    );
    assert_eq!(late.await.unwrap(), Some(TenantStatus::Suspended));
    assert_eq!(status(&cache).await, Some(TenantStatus::Suspended));
    assert_eq!(registry.reads(), 2);
}

#[tokio::test]
async fn a_look_up_that_is_dropped_leaves_the_next_one_to_ask() {
    let registry = Slow::new(Some(acme()));
    let cache = cache(&registry);
    registry.gate.forget_permits(Semaphore::MAX_PERMITS);
    let dropped = tokio::spawn({
        let cache = cache.clone();
        async move { status(&cache).await }
    });
    while registry.reads() == 0 {
        tokio::task::yield_now().await;
    }
    dropped.abort();
    registry.gate.add_permits(10);
    assert_eq!(status(&cache).await, Some(TenantStatus::Active));
}

#[tokio::test]
async fn entries_last_while_changes_are_told_and_a_second_while_they_are_not() {
    let registry = Slow::new(Some(acme()));
    let cache = cache(&registry);
    assert_eq!(status(&cache).await, Some(TenantStatus::Active));
    registry.set(TenantStatus::Suspended).await;
    // Nobody tells it.
    let start = Instant::now();
    while status(&cache).await == Some(TenantStatus::Active) {
        assert!(start.elapsed() < BOUND);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let reads = registry.reads();
    // Told, it asks no more.
    cache.heard();
    for _ in 0..10 {
        cache.heard();
        tokio::time::sleep(Duration::from_millis(150)).await;
        status(&cache).await;
    }
    assert_eq!(registry.reads(), reads);
    cache.forget(&slug());
    status(&cache).await;
    assert_eq!(registry.reads(), reads + 1);
    // No longer told, it is not believed for longer than that.
    registry.set(TenantStatus::Active).await;
    let start = Instant::now();
    while status(&cache).await == Some(TenantStatus::Suspended) {
        assert!(start.elapsed() < BOUND);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_outage_is_outlasted_by_who_was_active_and_up_to_the_limit() {
    let registry = Slow::new(Some(acme()));
    let settings = CacheSettings {
        outage_limit: Duration::from_millis(2_500),
        patience: Duration::from_millis(300),
        ..SETTINGS
    };
    let cache = cache_with(&registry, settings);
    assert_eq!(status(&cache).await, Some(TenantStatus::Active));
    registry.away.store(true, Ordering::SeqCst);
    let start = Instant::now();
    let reads = registry.reads();
    while let Ok(found) = cache.find(&slug()).await {
        assert!(found.is_some());
        assert!(start.elapsed() < Duration::from_secs(4), "no limit");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(start.elapsed() > Duration::from_secs(1));
    // It is asked once a second and not by every request.
    assert!(registry.reads() - reads < 6, "{}", registry.reads());

    // Who is told to have changed is not served from what was there before.
    registry.away.store(false, Ordering::SeqCst);
    assert_eq!(status(&cache).await, Some(TenantStatus::Active));
    registry.away.store(true, Ordering::SeqCst);
    cache.forget(&slug());
    assert!(cache.find(&slug()).await.is_err());
    // Nor is who was suspended, or unknown.
    registry.away.store(false, Ordering::SeqCst);
    registry.set(TenantStatus::Suspended).await;
    assert_eq!(status(&cache).await, Some(TenantStatus::Suspended));
    registry.away.store(true, Ordering::SeqCst);
    tokio::time::sleep(UNTOLD).await;
    assert!(cache.find(&slug()).await.is_err());
}

#[tokio::test]
async fn a_registry_that_says_nothing_holds_up_nobody_longer_than_once() {
    let registry = Slow::new(None);
    let settings = CacheSettings {
        patience: Duration::from_millis(300),
        ..SETTINGS
    };
    let cache = cache_with(&registry, settings);
    registry.gate.forget_permits(Semaphore::MAX_PERMITS);
    let start = Instant::now();
    let (slug, cache) = (slug(), &cache);
    let all = (0..50).map(|_| cache.find(&slug));
    for outcome in futures_util::future::join_all(all).await {
        assert!(matches!(outcome, Err(Error::Unavailable(_))));
    }
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "one after the other"
    );
    assert_eq!(registry.reads(), 1);
    // It is not remembered: the next one asks again.
    registry.gate.add_permits(10);
    assert!(cache.find(&slug).await.unwrap().is_none());
}

#[tokio::test]
async fn who_was_known_to_be_active_until_an_outage_outlasts_it_from_then_on() {
    let registry = Slow::new(Some(acme()));
    let settings = CacheSettings {
        outage_limit: Duration::from_secs(1),
        patience: Duration::from_millis(300),
        ..SETTINGS
    };
    let cache = cache_with(&registry, settings);
    assert_eq!(status(&cache).await, Some(TenantStatus::Active));
    for _ in 0..8 {
        cache.heard();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Read longer ago than the limit, and told of until now.
    registry.away.store(true, Ordering::SeqCst);
    cache.heard();
    cache.deaf();
    assert_eq!(status(&cache).await, Some(TenantStatus::Active));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(cache.find(&slug()).await.is_err());
}

#[tokio::test]
async fn unknown_names_are_remembered_briefly_and_their_number_is_bounded() {
    let registry = Slow::new(None);
    let cache = cache(&registry);
    for _ in 0..50 {
        assert!(cache.find(&slug()).await.unwrap().is_none());
    }
    assert_eq!(registry.reads(), 1);
    *registry.tenant.lock().await = Some(acme());
    cache.forget(&slug());
    assert_eq!(status(&cache).await, Some(TenantStatus::Active));
    for n in 0..10_000 {
        let name: Slug = format!("nobody-{n}").parse().unwrap();
        cache.find(&name).await.unwrap();
    }
    let entries = cache.0.entries.as_ref().unwrap();
    entries.run_pending_tasks();
    assert!(entries.entry_count() <= 100, "{}", entries.entry_count());
}

#[tokio::test]
async fn who_watches_sees_each_change() {
    let cache = cache(&Slow::new(Some(acme())));
    let mut changes = cache.changes();
    assert!(!changes.has_changed().unwrap());
    cache.forget(&slug());
    changes.changed().await.unwrap();
    cache.forget_all();
    changes.changed().await.unwrap();
    assert!(!changes.has_changed().unwrap());
}

#[tokio::test]
async fn a_registry_that_panics_is_asked_again() {
    let registry = Slow::new(Some(acme()));
    let cache = cache(&registry);
    registry.gate.close();
    for reads in 1..=3 {
        let lost = cache.find(&slug()).await;
        assert!(matches!(lost, Err(Error::Unavailable(_))));
        assert_eq!(registry.reads(), reads);
    }
}
