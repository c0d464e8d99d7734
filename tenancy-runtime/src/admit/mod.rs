//! From a candidate to an admitted tenant: the door.
//!
//! [`Admission`] is the only place that makes a [`Tenant`], and without one
//! nothing opens a connection. [`AdmissionLayer`] stands in front of a route
//! and asks for what the route declared ([`TenantUse`]); a tenant that is
//! missing, malformed or unknown gets one and the same refusal, and so does one
//! for which the request may not act ([`Membership`]).

mod layer;
mod membership;
mod revocation;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::Extensions;
use axum::http::request::Parts;

use crate::db::TenantPool;
use crate::error::{Error, Result};
use crate::http::RequestTenant;
use crate::isolation::Strategy;
use crate::limit::Limits;
use crate::plan::Catalog;
use crate::registry::TenantCache;
use crate::resolve::{Candidate, Resolver};
use crate::sealing::MetadataKeys;
use crate::tenant::{Slug, Tenant, TenantRecord, TenantStatus};

pub use crate::http::TenantUse;
pub use layer::{AdmissionLayer, Admit};
pub use membership::{Gateway, Membership};
pub use revocation::Revocation;

/// Decides who comes in. Cheap to clone.
#[derive(Clone)]
pub struct Admission {
    resolver: Arc<dyn Resolver>,
    tenants: TenantCache,
    membership: Option<Arc<dyn Membership>>,
    data: Option<TenantPool>,
    patience: Option<Duration>,
    limits: Limits,
    plans: Option<Arc<Catalog>>,
    keys: MetadataKeys,
}

impl Admission {
    /// Admits to `data`, or to no database.
    #[must_use]
    pub(crate) fn new(
        resolver: Arc<dyn Resolver>,
        tenants: TenantCache,
        data: Option<TenantPool>,
    ) -> Self {
        Self {
            resolver,
            tenants,
            membership: None,
            data,
            patience: None,
            limits: Limits::default(),
            plans: None,
            keys: MetadataKeys::default(),
        }
    }

    /// How often tenants may come.
    #[must_use]
    pub(crate) fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The plans that tenants are on.
    #[must_use]
    pub(crate) fn plans(mut self, plans: Option<Arc<Catalog>>) -> Self {
        self.plans = plans;
        self
    }

    /// What opens the secrets in tenants' metadata.
    #[must_use]
    pub(crate) fn keys(mut self, keys: MetadataKeys) -> Self {
        self.keys = keys;
        self
    }

    /// Who decides whether a request may act for the tenant that it names.
    #[must_use]
    pub(crate) fn membership(mut self, membership: Option<Arc<dyn Membership>>) -> Self {
        self.membership = membership;
        self
    }

    /// How long a request waits for connections altogether: its tenant is looked
    /// up over the pool from which its handler borrows afterwards, and each of
    /// the two waits by itself up to the pool's own limit.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Admits the candidate of a request, or refuses it.
    ///
    /// # Errors
    ///
    /// [`Error::TenantUnresolved`] for one that does not exist or for which the
    /// request may not act, [`Error::TenantInactive`] for one that may not come in
    /// now, and those of the registry and of the membership.
    pub async fn admit(&self, candidate: &Candidate, request: &Parts) -> Result<Tenant> {
        let record = self.record(candidate.slug()).await?;
        if !candidate.means(&record) {
            return Err(Error::TenantUnresolved);
        }
        // Before its status: who is no member learns nothing of the tenant.
        let proven = candidate.is_proven() && self.resolver.proves_membership();
        if !proven && !self.is_member(request, &record).await? {
            return Err(Error::TenantUnresolved);
        }
        self.active(record)
    }

    /// Admits a tenant that the application itself names, outside of a request.
    pub(crate) async fn admit_inside(&self, slug: &Slug) -> Result<Tenant> {
        self.active(self.record(slug).await?)
    }

    async fn record(&self, slug: &Slug) -> Result<Arc<TenantRecord>> {
        let record = self.tenants.find(slug).await?;
        record.ok_or(Error::TenantUnresolved)
    }

    /// Without anybody who decides nobody is one: of several resolvers the one
    /// that proves may have found nothing.
    async fn is_member(&self, request: &Parts, tenant: &TenantRecord) -> Result<bool> {
        match &self.membership {
            Some(membership) => membership.admits(request, tenant).await,
            None => Ok(false),
        }
    }

    fn active(&self, record: Arc<TenantRecord>) -> Result<Tenant> {
        match record.status {
            TenantStatus::Active => {
                let plans = self.plans.as_ref();
                let plan = plans.map(|plans| plans.plan_of(&record)).transpose()?;
                Ok(Tenant::admitted(record).on(plan).with_keys(&self.keys))
            }
            TenantStatus::Provisioning
            | TenantStatus::Suspended
            | TenantStatus::Deleted
            | TenantStatus::Destroying => Err(Error::TenantInactive),
        }
    }

    /// Tells when the tenant may be served no longer.
    fn revocation(&self, tenant: &Tenant) -> Revocation {
        Revocation::new(tenant.clone(), self.tenants.clone())
    }

    /// The tenant of a request as its route wants it, with what the resolver
    /// hands on to handlers.
    async fn request(
        &self,
        request: &Parts,
        tenant_use: TenantUse,
    ) -> Result<(RequestTenant, Extensions)> {
        let candidate = self.resolver.resolve(request).await?;
        let began = Instant::now();
        let (tenant, carried) = match (candidate, tenant_use) {
            (Some(candidate), _) => {
                let tenant = self.admit(&candidate, request).await?;
                (Some(tenant), candidate.into_carried())
            }
            (None, TenantUse::Required) => return Err(self.resolver.missing()),
            (None, TenantUse::Optional | TenantUse::None) => (None, Extensions::new()),
        };
        let db = match (&self.data, &tenant) {
            (Some(data), Some(tenant)) => Some(data.db(tenant)?),
            _ => None,
        };
        // Another pool than the look-up's, which proves its database first, makes
        // its own time.
        let strategy = tenant.as_ref().and_then(Tenant::strategy);
        let patience = self
            .patience
            .filter(|_| strategy != Some(Strategy::Database))
            .map(|patience| patience.saturating_sub(began.elapsed()));
        let tenant = RequestTenant {
            tenant,
            db,
            patience,
        };
        Ok((tenant, carried))
    }
}

impl std::fmt::Debug for Admission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admission").finish_non_exhaustive()
    }
}
