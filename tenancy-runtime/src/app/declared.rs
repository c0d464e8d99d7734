use std::sync::Arc;

use axum::Router;

use super::builder::Route;
#[cfg(feature = "openapi")]
use super::openapi;
use super::{limits, mistakes, onboarding};
use crate::admin::OperatorGuard;
use crate::admit::Membership;
use crate::audit::AuditSink;
use crate::config::Config;
#[cfg(feature = "domains")]
use crate::domains::DomainProof;
use crate::http::TenantUse;
use crate::model::ModelDef;
use crate::plan::{Catalog, Settings};
use crate::problem::Problem;
use crate::provision::Exemption;
use crate::provision::migrations::Migration;
use crate::registry::TenantRegistry;
use crate::tenant::NewTenant;

/// What an application is made of, whatever its command does with it.
pub(super) struct Declared {
    pub(super) name: &'static str,
    pub(super) membership: Option<Arc<dyn Membership>>,
    pub(super) audit: Option<Arc<dyn AuditSink>>,
    pub(super) admin: Option<Box<dyn OperatorGuard>>,
    pub(super) registry: Option<Arc<dyn TenantRegistry>>,
    #[cfg(feature = "domains")]
    pub(super) domain_proofs: Vec<Arc<dyn DomainProof>>,
    pub(super) models: Vec<&'static ModelDef>,
    pub(super) migrations: &'static [Migration],
    pub(super) exempt: Vec<Exemption>,
    pub(super) routes: Vec<Route>,
    pub(super) routers: Vec<(TenantUse, Router)>,
    pub(super) seeds: Vec<NewTenant>,
    pub(super) onboarding: Option<onboarding::Work>,
    pub(super) plans: Option<Arc<Catalog>>,
    pub(super) settings: Settings,
    #[cfg(feature = "openapi")]
    pub(super) openapi: openapi::Declaration,
}

impl Declared {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            membership: None,
            audit: None,
            admin: None,
            registry: None,
            #[cfg(feature = "domains")]
            domain_proofs: Vec::new(),
            models: Vec::new(),
            migrations: &[],
            exempt: Vec::new(),
            routes: Vec::new(),
            routers: Vec::new(),
            seeds: Vec::new(),
            onboarding: None,
            plans: None,
            settings: Settings::any(),
            #[cfg(feature = "openapi")]
            openapi: openapi::Declaration::default(),
        }
    }

    /// What is wrong between its parts and what is configured.
    pub(super) fn problems(&mut self, config: &Config) -> Vec<Problem> {
        let ways = &config.resolution;
        let mut problems = mistakes::problems(&self.routes, &self.models);
        problems.extend(mistakes::hidden_routes(&self.routes, ways));
        if self.membership.is_none() {
            problems.extend(mistakes::nobody_decides(&self.routes, &self.routers, ways));
        }
        if self.audit.is_none() {
            problems.extend(mistakes::unrecorded(&self.routes));
        }
        problems.extend(limits::problems(config, &self.routes));
        problems.extend(self.problems_of_admin(config));
        problems.extend(mistakes::quotas(&self.models, self.plans.as_deref()));
        if let Some(plans) = &self.plans {
            problems.extend(mistakes::plans(plans, config.isolation.as_ref()));
        }
        problems
    }

    /// The guard reads what is configured for it.
    fn problems_of_admin(&mut self, config: &Config) -> Vec<Problem> {
        let Some(guard) = &mut self.admin else {
            return mistakes::admin_without_a_guard(config)
                .into_iter()
                .collect();
        };
        let mut problems = guard.prepare(config);
        problems.extend(mistakes::hidden_admin(&config.resolution));
        problems
    }
}
