//! Domains that tenants bring: `app.customer.com` for the tenant that has proved it.
//!
//! A tenant *claims* a domain and gets a [`Challenge`]: a value of its own to publish
//! in a TXT record, or as a page of the domain's web server. When it is seen there
//! the domain is *verified*, and [`SubdomainResolver`](crate::resolve::SubdomainResolver)
//! with `custom_domains` takes requests for it. Before, it is nobody's.
//!
//! Many may claim a domain, so that nobody keeps it from its owner by being first;
//! one has it. Who has it keeps it until it is removed, its tenant destroyed, or
//! [`recheck`](Domains::recheck) has missed the proof for as long as it is told to
//! wait: then somebody else can prove it. That another proves it meanwhile is a
//! conflict and takes nothing away. A tenant that is renamed keeps its domains, and
//! who gets its slug gets none of them.
//!
//! The application does not answer the challenge itself for hosts that lead to it,
//! although that would be easy for customers: that a name leads here says who has
//! pointed it here once, and not for whom. A name that a former customer has left
//! behind would be anybody's who claims it, and that is how domains are taken over.
//! For the same reason the proof stays published, and is looked for again.
//!
//! What a domain's name servers say is believed as far as
//! [`NameServers`] are, without DNSSEC of our own.

mod address;
mod challenge;
mod dns;
mod extract;
mod name;
mod store;
mod web;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;

use crate::db::Pool;
use crate::error::{Error, Result};
use crate::http::HostName;
use crate::problem::Problem;
use crate::registry::TenantCache;
use crate::tenant::Slug;
use store::{Claim, Store};

pub use challenge::{Challenge, DomainProof};
pub use dns::{DnsProof, NameServers};
pub(crate) use extract::Configured;
pub use name::{DomainName, InvalidDomainName};
pub use web::HttpProof;

/// How many domains are looked at again at a time.
const AT_A_TIME: usize = 8;

/// The domains of all tenants. Cheap to clone; an extractor on routes with
/// `tenant = "none"`: it works for every tenant, so put them behind a check of your
/// own. It writes with the owner's login, as the
/// [`Provisioner`](crate::provision::Provisioner) does.
///
/// ```no_run
/// use tenancy_runtime::app::Tenancy;
/// use tenancy_runtime::error::Result;
///
/// # async fn example(tenancy: Tenancy) -> Result<()> {
/// let domains = tenancy.domains()?;
/// let (acme, domain) = ("acme-corp".parse()?, "app.customer.com".parse()?);
/// let challenge = domains.claim(&acme, &domain).await?;
/// println!("{challenge}");
/// // Once it is published:
/// assert!(domains.verify(&acme, &domain).await?.is_verified());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Domains {
    store: Store,
    /// The suffixes below which tenants have their subdomains.
    ours: Arc<[HostName]>,
    proofs: Arc<[Arc<dyn DomainProof>]>,
    /// What this process remembers of them.
    tenants: TenantCache,
}

/// A domain that a tenant has claimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TenantDomain {
    /// What proves it.
    #[serde(flatten)]
    pub challenge: Challenge,
    /// When it was claimed.
    pub claimed_at: DateTime<Utc>,
    /// Since when requests for it are the tenant's; `None` while they are nobody's.
    pub verified_at: Option<DateTime<Utc>>,
    /// When the proof was last seen.
    pub proven_at: Option<DateTime<Utc>>,
    /// Since when [`recheck`](Domains::recheck) misses the proof of a verified domain.
    pub missing_since: Option<DateTime<Utc>>,
}

impl TenantDomain {
    /// The domain.
    #[must_use]
    pub fn domain(&self) -> &DomainName {
        &self.challenge.domain
    }

    /// Whether requests for it are the tenant's.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.verified_at.is_some()
    }
}

/// What was found of a verified domain that was looked at again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rechecked {
    /// Whose it is or was.
    pub tenant: Slug,
    /// The domain.
    pub domain: DomainName,
    /// How it stands.
    pub finding: Finding,
}

/// How a verified domain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The proof is there.
    Proven,
    /// It is not, and is missed for less long than it may.
    Missing,
    /// It is missed for too long: requests for the domain are nobody's.
    Lapsed,
    /// That could not be told. Nothing has changed.
    Unknown,
}

impl Finding {
    /// One word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Missing => "missing",
            Self::Lapsed => "lapsed",
            Self::Unknown => "unknown",
        }
    }
}

impl Domains {
    /// By DNS and HTTP where no proofs are given.
    pub(crate) fn new(
        owner: Option<Pool>,
        ours: Vec<HostName>,
        proofs: Vec<Arc<dyn DomainProof>>,
        tenants: TenantCache,
    ) -> Self {
        let built_in = || -> Vec<Arc<dyn DomainProof>> {
            vec![
                Arc::new(DnsProof::default()),
                Arc::new(HttpProof::default()),
            ]
        };
        let proofs = if proofs.is_empty() {
            built_in()
        } else {
            proofs
        };
        Self {
            store: Store::new(owner),
            ours: ours.into(),
            proofs: proofs.into(),
            tenants,
        }
    }

    /// Takes note that a tenant wants a domain, and says how to prove it. Claimed
    /// again, the challenge is the same.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such tenant, [`Error::InvalidInput`] for a
    /// domain below the application's own suffix, [`Error::Unavailable`] when the
    /// owner's login is not configured, and those of the database.
    pub async fn claim(&self, tenant: &Slug, domain: &DomainName) -> Result<Challenge> {
        if let Some(suffix) = self.ours.iter().find(|suffix| domain.is_within(suffix)) {
            return Err(Error::InvalidInput(format!(
                "`{domain}` is at or below `{suffix}`, where tenants are by their own names"
            )));
        }
        let claimed = self.store.claim(tenant, domain).await?;
        Ok(claimed.ok_or(Error::NotFound)?.domain.challenge)
    }

    /// Looks for the proof now, and from then on the domain is the tenant's. One that
    /// is verified already stays so if the proof is not there.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when the tenant has not claimed the domain,
    /// [`Error::InvalidInput`] when the challenge is not published (with what to
    /// publish), [`Error::Unavailable`] when that could not be told,
    /// [`Error::Conflict`] when another tenant has the domain, and those of
    /// [`claim`](Self::claim).
    pub async fn verify(&self, tenant: &Slug, domain: &DomainName) -> Result<TenantDomain> {
        let claim = self.store.find(tenant, domain).await?;
        let claim = claim.ok_or(Error::NotFound)?;
        let challenge = &claim.domain.challenge;
        if !self.is_published(challenge).await? {
            return Err(Error::InvalidInput(format!(
                "`{domain}` is not proven: {challenge}"
            )));
        }
        // Of the claim that was looked for, and of no other since.
        let verified = self.store.verify(&claim).await?;
        self.tenants.forget_domain(domain.host());
        let verified = verified.ok_or(Error::NotFound)?;
        tracing::info!(%tenant, %domain, "verified");
        Ok(verified.domain)
    }

    /// Takes a domain, verified or not, from a tenant. Claimed again, it has to be
    /// proved by another value.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when the tenant has not claimed it, and those of
    /// [`claim`](Self::claim).
    pub async fn remove(&self, tenant: &Slug, domain: &DomainName) -> Result<()> {
        let removed = self.store.remove(tenant, domain).await?;
        self.tenants.forget_domain(domain.host());
        removed.map(drop).ok_or(Error::NotFound)
    }

    /// The domains that a tenant has claimed, by name; none for a tenant that does not
    /// exist.
    ///
    /// # Errors
    ///
    /// Those of [`claim`](Self::claim) but the first two.
    pub async fn list(&self, tenant: &Slug) -> Result<Vec<TenantDomain>> {
        let claims = self.store.list(tenant).await?.into_iter();
        Ok(claims.map(|claim| claim.domain).collect())
    }

    /// Looks at every verified domain again. One whose proof is missed by every look
    /// for `grace` is the tenant's no longer, until it is verified again: who has given
    /// a domain up should not be served there for ever, nor keep it from who has it now.
    ///
    /// To be called now and then, every day for example with a week of `grace`: then
    /// a proof that is away for some days, with its web server or by mistake, takes
    /// nothing away. The time begins with the first look that misses it, however long
    /// nobody has looked before.
    ///
    /// # Errors
    ///
    /// Those of [`list`](Self::list), before any domain is looked at. What fails with
    /// one of them is [`Finding::Unknown`].
    pub async fn recheck(&self, grace: Duration) -> Result<Vec<Rechecked>> {
        let claims = self.store.verified().await?;
        let looks = claims.into_iter().map(async |claim| {
            let finding = self.look_again(&claim, grace).await;
            Rechecked {
                finding: finding.unwrap_or_else(|error| {
                    let (tenant, domain) = (&claim.tenant, claim.domain.domain());
                    tracing::warn!(%tenant, %domain, %error, "no telling whether it is proven");
                    Finding::Unknown
                }),
                domain: claim.domain.domain().clone(),
                tenant: claim.tenant,
            }
        });
        Ok(stream::iter(looks).buffered(AT_A_TIME).collect().await)
    }

    async fn look_again(&self, claim: &Claim, grace: Duration) -> Result<Finding> {
        if self.is_published(&claim.domain.challenge).await? {
            self.store.proven(claim).await?;
            return Ok(Finding::Proven);
        }
        if !self.store.missing(claim, grace).await? {
            return Ok(Finding::Missing);
        }
        let domain = claim.domain.domain();
        self.tenants.forget_domain(domain.host());
        tracing::warn!(tenant = %claim.tenant, %domain, "the proof is gone: lapsed");
        Ok(Finding::Lapsed)
    }

    /// Whether any of the ways finds the challenge.
    async fn is_published(&self, challenge: &Challenge) -> Result<bool> {
        let mut untold = None;
        for proof in &*self.proofs {
            match proof.is_published(challenge).await {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(domain = %challenge.domain, %error, "no telling whether it is proven");
                    untold = Some(error);
                }
            }
        }
        untold.map_or(Ok(false), |error| Err(Error::unavailable(error)))
    }
}

impl std::fmt::Debug for Domains {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Domains").finish_non_exhaustive()
    }
}

/// What those hear who ask for domains where there are none.
pub(crate) fn not_configured() -> Error {
    Problem::new(
        "the domains of tenants' own",
        "are not served by this application",
        "declare `custom_domains` beside resolver = \"subdomain\" in the application's attribute",
    )
    .into()
}
