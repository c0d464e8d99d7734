//! The thread on which an application under test runs: its connections live as
//! long as it does, and not only as long as the test that opened them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use futures_util::stream::{self, StreamExt as _};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::app::{App, Tenancy};
use crate::config::Config;
use crate::error::Result;
use crate::tenant::Slug;

/// What the slugs of tests' tenants begin with; a UUID with its time follows.
pub(super) const PREFIX: &str = "test-";

/// After which time a test's tenant was left behind by a process that was killed.
const LEFT_BEHIND: Duration = Duration::from_secs(60 * 60);

/// How many tenants are destroyed at a time.
const AT_A_TIME: usize = 4;

/// What the thread hands out of the application that it has started.
pub(super) struct Started {
    pub(super) runtime: Handle,
    pub(super) router: Mutex<Option<Router>>,
    pub(super) tenancy: Mutex<Option<Arc<Tenancy>>>,
    pub(super) routes: Vec<String>,
}

/// The thread of an application under test, until it is told whom to destroy.
pub(super) fn run(
    app: App,
    config: Config,
    started: oneshot::Sender<Result<Started>>,
    on_stop: oneshot::Receiver<Vec<Slug>>,
) {
    let mut runtime = Builder::new_multi_thread();
    let runtime = match runtime.worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(started.send(Err(error.into()))),
    };
    runtime.block_on(async {
        let routes = app.routes();
        let (tenancy, router) = match app.start(config).await {
            Ok(parts) => parts,
            Err(error) => return drop(started.send(Err(error))),
        };
        let tenancy = Arc::new(tenancy);
        let parts = Started {
            runtime: Handle::current(),
            router: Mutex::new(Some(router)),
            tenancy: Mutex::new(Some(Arc::clone(&tenancy))),
            routes,
        };
        // Whoever asked may be gone by now.
        if started.send(Ok(parts)).is_ok() {
            sweep(&tenancy).await;
            let made = on_stop.await.unwrap_or_default();
            destroy(&tenancy, made).await;
        }
        if let Ok(tenancy) = Arc::try_unwrap(tenancy)
            && let Err(error) = tenancy.stop().await
        {
            tracing::warn!(%error, "the application under test did not stop in order");
        }
    });
    runtime.shutdown_background();
}

/// Removes what killed processes left behind.
async fn sweep(tenancy: &Tenancy) {
    let all = tenancy.provisioner().all().await.unwrap_or_default();
    let left = all
        .into_iter()
        .filter(|tenant| is_left_behind(&tenant.slug));
    destroy(tenancy, left.map(|tenant| tenant.slug).collect()).await;
}

fn is_left_behind(slug: &Slug) -> bool {
    let id = slug.as_str().strip_prefix(PREFIX);
    let made = id.and_then(|id| Uuid::try_parse(id).ok()?.get_timestamp());
    let Some((seconds, nanoseconds)) = made.map(|made| made.to_unix()) else {
        return false;
    };
    let made = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds);
    made.elapsed().is_ok_and(|age| age > LEFT_BEHIND)
}

async fn destroy(tenancy: &Tenancy, slugs: Vec<Slug>) {
    let provisioner = tenancy.provisioner();
    let each = stream::iter(slugs).for_each_concurrent(AT_A_TIME, async |slug| {
        // Who deleted it already has a conflict here, and goes on.
        let _ = provisioner.delete(&slug).await;
        let outcome = provisioner.destroy(&slug);
        // Nothing depends on it; an hour later it is tried again.
        if let Err(error) = outcome.await {
            tracing::debug!(%slug, %error, "a test's tenant is left behind");
        }
    });
    each.await;
}
