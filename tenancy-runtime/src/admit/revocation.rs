use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use futures_util::future::BoxFuture;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::watch;
use tokio::task::unconstrained;

use crate::error::{Error, Result};
use crate::jobs::Standing;
use crate::registry::TenantCache;
use crate::tenant::{Tenant, TenantRecord, TenantStatus};

/// How often a tenant is looked up where nobody tells of its change.
const EVERY: Duration = Duration::from_secs(1);

/// How seldom at least, where nobody can be asked.
const SELDOM: Duration = Duration::from_secs(4);

/// Tells when a tenant that was admitted may be served no longer: suspended,
/// deleted, renamed or gone; or when nobody can say whether it is, and that has lasted for
/// as long as requests are served meanwhile (`TENANCY_CACHE_OUTAGE_LIMIT`). An extractor,
/// for what outlives its request, such as a WebSocket; an answer that streams is ended
/// without it.
///
/// ```
/// use std::time::Duration;
/// use tenancy_runtime::admit::Revocation;
///
/// async fn follow(revocation: Revocation) {
///     loop {
///         tokio::select! {
///             () = revocation.revoked() => break,
///             () = tokio::time::sleep(Duration::from_secs(1)) => { /* send something */ }
///         }
///     }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Revocation {
    tenant: Tenant,
    tenants: TenantCache,
}

impl Revocation {
    pub(crate) fn new(tenant: Tenant, tenants: TenantCache) -> Self {
        Self { tenant, tenants }
    }

    /// Waits until the tenant may be served no longer: milliseconds after it was
    /// suspended, two seconds where changes are not notified. Safe to drop.
    pub async fn revoked(&self) {
        // However it ends, that is the end.
        let _ = self.asking(&AtomicBool::new(false)).await;
    }

    /// The same; `asks` is true while the tenant is looked up, and so while nobody
    /// knows whether it may be served. What was not read for long, and then is, sends
    /// nothing before that is known. It is an error where nobody could say for too long.
    pub(crate) async fn asking(&self, asks: &AtomicBool) -> Result<()> {
        let ended = self.ended(asks).await;
        if let Err(unknown) = &ended {
            let tenant = self.tenant.slug();
            tracing::debug!(%tenant, %unknown, "ended, as nobody says whether it is active");
        }
        ended
    }

    /// The same, with the error where that was the end.
    async fn ended(&self, asks: &AtomicBool) -> Result<()> {
        let mut changes = self.tenants.changes();
        let mut known = Instant::now();
        loop {
            asks.store(true, Ordering::Release);
            let standing = self.settled(&mut changes, known).await;
            asks.store(false, Ordering::Release);
            match standing? {
                Some(until) => known = until,
                None => return Ok(()),
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Until when at least the tenant is known to be active, or `None` if it is not.
    /// Asks again where nobody can say, as long as an outage may last after it was
    /// `known` to be so: that is no suspension.
    async fn settled(
        &self,
        changes: &mut watch::Receiver<u64>,
        known: Instant,
    ) -> Result<Option<Instant>> {
        let mut pause = EVERY;
        loop {
            // Before it is looked up: a change after that is seen.
            changes.borrow_and_update();
            let unknown = match self.tenants.find_as_of(self.tenant.slug()).await {
                Ok((now, until)) => {
                    let is_same = |now: &TenantRecord| now.id == self.tenant.id();
                    let now = now.filter(|now| is_same(now) && now.status == TenantStatus::Active);
                    return Ok(now.map(|_| until));
                }
                Err(unknown) => unknown,
            };
            let left = self.tenants.outage_limit().saturating_sub(known.elapsed());
            if left.is_zero() {
                return Err(unknown);
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep(pause.min(left)) => {}
            }
            pause = (pause * 2).min(SELDOM);
        }
    }

    /// Ends an answer that still streams when the tenant may be served no longer.
    pub(super) fn guard(self, body: Body) -> Body {
        if body.size_hint().exact().is_some() {
            return body;
        }
        let asks = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&asks);
        let revoked = async move { self.asking(&shared).await };
        // A change is seen whatever else the connection's task has done before.
        let revoked: BoxFuture<'static, Result<()>> = Box::pin(unconstrained(revoked));
        let revoked = Some(revoked);
        Body::new(Guarded {
            body,
            revoked,
            asks,
        })
    }
}

/// Jobs end with their tenant as answers do.
impl Standing for TenantCache {
    fn is_active<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, Result<bool>> {
        let revocation = Revocation::new(tenant.clone(), self.clone());
        Box::pin(async move {
            let mut changes = self.changes();
            let known = revocation.settled(&mut changes, Instant::now()).await?;
            Ok(known.is_some())
        })
    }

    fn revoked<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, Result<()>> {
        let revocation = Revocation::new(tenant.clone(), self.clone());
        Box::pin(async move { revocation.ended(&AtomicBool::new(false)).await })
    }
}

/// With an error, as a stream that merely ends would look complete.
struct Guarded {
    body: Body,
    /// `None` when it has ended the body.
    revoked: Option<BoxFuture<'static, Result<()>>>,
    asks: Arc<AtomicBool>,
}

impl HttpBody for Guarded {
    type Data = axum::body::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let Some(revoked) = &mut self.revoked else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(ended) = revoked.as_mut().poll(context) {
            self.revoked = None;
            let why = ended.err().unwrap_or(Error::TenantInactive);
            return Poll::Ready(Some(Err(axum::Error::new(why))));
        }
        if self.asks.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Revocation {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        if let Some(revocation) = parts.extensions.get::<Self>() {
            return Ok(revocation.clone());
        }
        // Says why there is no tenant, and so nothing to revoke.
        <Tenant as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        Err(Error::internal(
            "a tenant was admitted without its revocation",
        ))
    }
}
