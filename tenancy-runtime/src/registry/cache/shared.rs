//! What processes share over Redis: word of changes, and for half a second what one
//! of them has looked up.
//!
//! Word of a change is sent by who made it, after the commit, and may be lost with
//! Redis; so it makes nothing last longer. Where PostgreSQL does not tell either, a
//! change is in force in milliseconds instead of a second.
//!
//! The second level (`TENANCY_CACHE_SECOND_LEVEL`) is for fleets of many processes,
//! each of which would else ask the registry for each of its tenants. Nothing has
//! to be taken out of it: what is there was read from the registry less than
//! [`LIFE`] ago, by the clock of Redis, which is asked before the registry is. A
//! process that has just learned of a change looks past it for longer than that.
//! Who can write to that Redis can say where a tenant's data is: it is to be guarded
//! like the registry itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use redis::{AsyncCommands as _, Script, pipe};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::TenantCache;
use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::redis::{Answer, Redis};
use crate::registry::LocatorRow;
use crate::tenant::{Overrides, Slug, TenantId, TenantRecord, TenantStatus};

/// How long a look-up is shared, from before the registry was asked.
const LIFE: Duration = Duration::from_millis(500);
const _: () = assert!(LIFE.as_millis() < super::PAST.as_millis());

/// After how much silence it subscribes anew, as a connection may fall silent
/// without an end.
const QUIET: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_secs(1);

/// Keeps a value until a moment on the clock of Redis.
const KEEP: &str = "
    local now = redis.call('TIME')
    local left = ARGV[2] - (now[1] * 1000 + math.floor(now[2] / 1000))
    if left > 0 then redis.call('SET', KEYS[1], ARGV[1], 'PX', left) end
    return 0";

/// What the processes of one application have in common.
pub(crate) struct Shared {
    redis: Redis,
    keep: Script,
    channel: String,
    /// What names in Redis begin with, if look-ups are shared.
    names: Option<String>,
}

/// What there is of a tenant.
pub(super) enum Found {
    /// This, which somebody has read from the registry so long ago.
    Read(Option<Arc<TenantRecord>>, Duration),
    /// Nothing; what is read now can be shared.
    Nothing(Deadline),
}

/// Until when something that is read now may be shared, in milliseconds of the
/// clock of Redis.
#[derive(Clone, Copy)]
pub(super) struct Deadline(u64);

impl Shared {
    /// Connects when there is something to tell or to ask.
    pub(crate) fn new(
        url: &SecretString,
        application: &str,
        second_level: bool,
    ) -> Result<Arc<Self>, Problem> {
        let without = "processes learn of changes of tenants from PostgreSQL only";
        // The length keeps applications apart whatever they are called, and the number
        // what has other fields: a process of another version reads none of it.
        let names = |version| {
            let length = application.len();
            format!("tenancy:registry:{version}:{length}:{application}")
        };
        Ok(Arc::new(Self {
            redis: Redis::open(url, without)?,
            keep: Script::new(KEEP),
            channel: format!("{}:changes", names(1)),
            names: second_level.then(|| names(2)),
        }))
    }

    /// Tells the other processes that a tenant of this name has changed.
    pub(super) async fn announce(&self, slug: &Slug) {
        let mut connection = self.redis.connection();
        let telling = connection.publish::<_, _, i64>(&self.channel, slug.as_str());
        if let Answer::Refused(error) = self.redis.ask(telling).await {
            tracing::warn!(%error, "Redis does not publish a change of a tenant");
        }
    }

    /// What is shared of this name; `None` where nothing is, or Redis is away.
    pub(super) async fn find(&self, slug: &Slug) -> Option<Found> {
        let name = self.name(slug)?;
        let mut connection = self.redis.connection();
        let mut look = pipe();
        look.get(&name).pttl(&name).cmd("TIME");
        let answer = look.query_async::<(Option<String>, i64, (u64, u64))>(&mut connection);
        let (value, left, (seconds, micros)) = match self.redis.ask(answer).await {
            Answer::Given(answer) => answer,
            Answer::Refused(error) => {
                tracing::warn!(%error, "Redis does not say what is shared");
                return None;
            }
            Answer::Away => return None,
        };
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        match value.and_then(|value| stored(&value, slug)) {
            // Never longer than we ourselves let it live.
            Some(tenant) if !left.is_zero() && left <= LIFE => {
                Some(Found::Read(tenant, LIFE.saturating_sub(left)))
            }
            _ => {
                let now = seconds * 1_000 + micros / 1_000;
                Some(Found::Nothing(Deadline(now + LIFE.as_millis() as u64)))
            }
        }
    }

    /// Shares what the registry has said.
    pub(super) fn keep(
        self: &Arc<Self>,
        slug: &Slug,
        tenant: Option<&TenantRecord>,
        until: Deadline,
    ) {
        let Some(name) = self.name(slug) else { return };
        let Ok(value) = serde_json::to_string(&tenant.map(Stored::of)) else {
            return;
        };
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let mut connection = this.redis.connection();
            let mut call = this.keep.key(name);
            call.arg(value).arg(until.0);
            // Without, somebody else asks the registry.
            this.redis
                .ask(call.invoke_async::<i64>(&mut connection))
                .await;
        });
    }

    fn name(&self, slug: &Slug) -> Option<String> {
        let names = self.names.as_ref()?;
        Some(format!("{names}:{slug}"))
    }
}

/// Has `cache` forget what other processes say has changed, until it is dropped.
pub(crate) async fn hear(cache: TenantCache, shared: Arc<Shared>) {
    loop {
        let subscribed = timeout(PAUSE, shared.redis.subscribe(&shared.channel)).await;
        if let Ok(Ok(mut subscribed)) = subscribed {
            let mut messages = subscribed.on_message();
            loop {
                match timeout(QUIET, messages.next()).await {
                    Ok(Some(message)) => {
                        let slug = message.get_payload::<String>().ok();
                        if let Some(slug) = slug.and_then(|slug| slug.parse().ok()) {
                            cache.forget(&slug);
                        }
                    }
                    Ok(None) => break,
                    Err(_quiet) => break,
                }
            }
        }
        sleep(PAUSE).await;
    }
}

/// What was shared, if it is a tenant of this name, or that there is none.
fn stored(value: &str, slug: &Slug) -> Option<Option<Arc<TenantRecord>>> {
    let stored: Option<Stored> = serde_json::from_str(value).ok()?;
    let Some(stored) = stored else {
        return Some(None);
    };
    let record = stored.record().ok()?;
    (record.slug == *slug).then(|| Some(Arc::new(record)))
}

/// A tenant as it is shared. What management sees of one says less.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    id: TenantId,
    slug: Slug,
    name: String,
    status: TenantStatus,
    restores_to: Option<TenantStatus>,
    locator: Option<LocatorRow>,
    plan: Option<String>,
    features: BTreeSet<String>,
    overrides: Overrides,
    metadata: Value,
    created_at: DateTime<Utc>,
}

impl Stored {
    fn of(record: &TenantRecord) -> Self {
        let TenantRecord {
            id,
            slug,
            name,
            status,
            restores_to,
            locator,
            plan,
            features,
            overrides,
            metadata,
            created_at,
        } = record.clone();
        Self {
            id,
            slug,
            name,
            status,
            restores_to,
            locator: locator.as_ref().map(LocatorRow::of),
            plan,
            features,
            overrides,
            // With its secrets as they are stored.
            metadata: Value::clone(&metadata),
            created_at,
        }
    }

    /// Checked as what stands in tables is.
    fn record(self) -> Result<TenantRecord, Error> {
        let locator = self.locator.as_ref();
        let locator = locator.map(|row| row.locator(self.id)).transpose()?;
        Ok(TenantRecord {
            id: self.id,
            slug: self.slug,
            name: self.name,
            status: self.status,
            restores_to: self.restores_to,
            locator,
            plan: self.plan,
            features: self.features,
            overrides: self.overrides,
            metadata: self.metadata.into(),
            created_at: self.created_at,
        })
    }
}
