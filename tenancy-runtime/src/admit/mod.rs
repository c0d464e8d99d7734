//! From a candidate to an admitted tenant: the door.
//!
//! [`Admission`] is the only place that makes a [`Tenant`], and without one
//! nothing opens a connection. [`AdmissionLayer`] stands in front of a route
//! and asks for what the route declared ([`TenantUse`]); a tenant that is
//! missing, malformed or unknown gets one and the same refusal.

mod layer;

use std::sync::Arc;

use axum::http::request::Parts;

use crate::db::TenantPool;
use crate::error::{Error, Result};
use crate::http::RequestTenant;
use crate::registry::TenantRegistry;
use crate::resolve::{Candidate, Resolver};
use crate::tenant::{Tenant, TenantStatus};

pub use crate::http::TenantUse;
pub use layer::{AdmissionLayer, Admit};

/// Decides who comes in. Cheap to clone.
#[derive(Clone)]
pub struct Admission {
    resolver: Arc<dyn Resolver>,
    registry: Arc<dyn TenantRegistry>,
    data: Option<TenantPool>,
}

impl Admission {
    /// Admits to `data`, or to no database.
    #[must_use]
    pub(crate) fn new(
        resolver: Arc<dyn Resolver>,
        registry: Arc<dyn TenantRegistry>,
        data: Option<TenantPool>,
    ) -> Self {
        Self {
            resolver,
            registry,
            data,
        }
    }

    /// Admits a candidate, or refuses it.
    ///
    /// # Errors
    ///
    /// [`Error::TenantUnresolved`] for one that does not exist,
    /// [`Error::TenantInactive`] for one that may not come in now, and those of
    /// the registry.
    pub async fn admit(&self, candidate: &Candidate) -> Result<Tenant> {
        let record = self.registry.find(candidate.slug()).await?;
        let record = record.ok_or(Error::TenantUnresolved)?;
        match record.status {
            TenantStatus::Active => Ok(Tenant::admitted(record)),
            TenantStatus::Provisioning
            | TenantStatus::Suspended
            | TenantStatus::Deleted
            | TenantStatus::Destroying => Err(Error::TenantInactive),
        }
    }

    /// The tenant of a request as its route wants it.
    async fn request(&self, request: &Parts, tenant_use: TenantUse) -> Result<RequestTenant> {
        let tenant = match (self.resolver.resolve(request).await?, tenant_use) {
            (Some(candidate), _) => Some(self.admit(&candidate).await?),
            (None, TenantUse::Required) => return Err(Error::TenantUnresolved),
            (None, TenantUse::Optional | TenantUse::None) => None,
        };
        let db = match (&self.data, &tenant) {
            (Some(data), Some(tenant)) => Some(data.db(tenant)?),
            _ => None,
        };
        Ok(RequestTenant { tenant, db })
    }
}

impl std::fmt::Debug for Admission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admission").finish_non_exhaustive()
    }
}
