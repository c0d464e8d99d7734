use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use diesel_async::{AsyncConnection, TransactionManager as _};
use uuid::Uuid;

use super::{AuditEntry, AuditEvent, AuditSink};
use crate::db::{TenantConn, TenantDb};
use crate::error::{Error, Result};
use crate::http::Origin;
use crate::resolve::Principal;
use crate::tenant::Tenant;

/// The sink of an application, if it has one.
#[derive(Clone)]
pub(crate) struct Configured(pub(crate) Option<Arc<dyn AuditSink>>);

/// The longest text of the sender's own that is kept.
const LONGEST: usize = 200;

/// The tenant's trail, with what is known of the request. An extractor:
///
/// ```
/// use serde_json::json;
/// use tenancy_runtime::audit::{Audit, AuditEvent};
/// use tenancy_runtime::db::TenantConn;
/// use tenancy_runtime::error::{Error, Result};
/// # use diesel_async::AsyncConnection as _;
///
/// async fn publish(mut db: TenantConn, audit: Audit) -> Result<()> {
///     db.transaction(async |conn| {
///         // The change, and beside it:
///         let event = AuditEvent::new("publish", "post").detail(json!({ "id": 7 }));
///         audit.record_in(conn, event).await
///     })
///     .await
/// }
/// ```
#[derive(Clone)]
pub struct Audit {
    sink: Arc<dyn AuditSink>,
    tenant: Tenant,
    db: Option<TenantDb>,
    actor: Arc<str>,
    ip: Option<String>,
    user_agent: Option<String>,
    request_id: RequestId,
}

/// What the entries of a request are told to belong together by.
#[derive(Clone)]
struct RequestId(Arc<str>);

impl Audit {
    /// Records what happens in the transaction of `db`: with the change, or not at
    /// all.
    ///
    /// # Errors
    ///
    /// Those of the sink: return them, so that the change is undone.
    /// [`Error::Internal`] outside of a transaction, where the change would last
    /// without its entry; [`Error::WrongTenant`] where the connection is another
    /// tenant's.
    pub async fn record_in(&self, db: &mut TenantConn, event: AuditEvent) -> Result<()> {
        type Manager = <TenantConn as AsyncConnection>::TransactionManager;
        let status = Manager::transaction_manager_status_mut(db);
        if status.transaction_depth()?.is_none() {
            return Err(Error::internal(
                "`record_in` belongs into the transaction of the change: \
                 `db.transaction(async |conn| …)`",
            ));
        }
        self.record(db, event).await
    }

    /// Records what changes nothing in the database, such as a look at something,
    /// over the handler's own connection.
    ///
    /// # Errors
    ///
    /// Those of the sink, and [`Error::WrongTenant`].
    pub async fn record(&self, db: &mut TenantConn, event: AuditEvent) -> Result<()> {
        let connection = db.tenant()?;
        if connection.id() != self.tenant.id() {
            return Err(Error::WrongTenant {
                row: self.tenant.clone(),
                connection: connection.clone(),
            });
        }
        let entry = self.entry(event)?;
        self.sink.write(&self.tenant, &entry, Some(db)).await
    }

    /// Records over a connection that it borrows, if its sink needs one. For
    /// handlers without: who holds one and waits for another may wait for ever.
    ///
    /// # Errors
    ///
    /// Those of the sink, and of the connection.
    pub async fn record_alone(&self, event: AuditEvent) -> Result<()> {
        self.record_entry(event).await?;
        Ok(())
    }

    /// [`record_alone`](Self::record_alone), and the id of the entry.
    pub(super) async fn record_entry(&self, event: AuditEvent) -> Result<Uuid> {
        let entry = self.entry(event)?;
        match (&self.db, self.sink.table()) {
            (Some(db), Some(_)) => {
                let mut conn = db.conn().await?;
                self.sink
                    .write(&self.tenant, &entry, Some(&mut conn))
                    .await?;
            }
            _ => self.sink.write(&self.tenant, &entry, None).await?,
        }
        Ok(entry.id)
    }

    fn entry(&self, event: AuditEvent) -> Result<AuditEntry> {
        let mut entry = AuditEntry::new(event.checked()?, self.actor.as_ref().to_owned());
        entry.ip.clone_from(&self.ip);
        entry.user_agent.clone_from(&self.user_agent);
        entry.request_id = Some(self.request_id.0.as_ref().to_owned());
        Ok(entry)
    }
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit")
            .field("tenant", self.tenant.slug())
            .field("actor", &self.actor)
            .field("request_id", &self.request_id.0)
            .finish_non_exhaustive()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Audit {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let tenant = <Tenant as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        let sink = match parts.extensions.get::<Configured>() {
            Some(Configured(Some(sink))) => Arc::clone(sink),
            _ => {
                return Err(Error::internal(
                    "a handler asks for `Audit` in an application without a trail: add \
                     `audit = \"database\"` to `#[tenancy::app]`",
                ));
            }
        };
        // Without a database there is none, and the sink needs none.
        let db = match sink.table() {
            Some(_) => Some(TenantDb::from_request_parts(parts, state).await?),
            None => None,
        };
        let actor = parts.extensions.get::<Principal>();
        let actor = actor.map_or("anonymous", Principal::as_str);
        let said = |name| {
            let value = parts.headers.get(name)?.to_str().ok()?;
            Some(value.chars().take(LONGEST).collect::<String>())
        };
        let user_agent = said(header::USER_AGENT);
        let known = parts.extensions.get::<RequestId>().cloned();
        let request_id = known.unwrap_or_else(|| {
            let said = said(header::HeaderName::from_static("x-request-id"));
            RequestId(said.unwrap_or_else(|| Uuid::now_v7().to_string()).into())
        });
        let actor = actor.into();
        parts.extensions.insert(request_id.clone());
        Ok(Self {
            sink,
            tenant,
            db,
            actor,
            ip: Origin::from_parts(parts).client().map(|ip| ip.to_string()),
            user_agent,
            request_id,
        })
    }
}
