//! What an application has declared, for those who have a name in hand: one that
//! a request brings, or that is stored.

use std::any::TypeId;

use super::{Feature, PlanDef, Plans, Quota};
use crate::error::{Error, Result};
use crate::problem::{self, Problem};
use crate::tenant::{NewTenant, TenantRecord};

/// The plan that a tenant is on, and whose plans that is one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OnPlan {
    pub(crate) definition: &'static PlanDef,
    of: TypeId,
}

impl OnPlan {
    /// The plan itself, if it is one of `P`.
    pub(crate) fn one_of<P: Plans>(self) -> Option<P> {
        let mut all = P::ALL.iter().copied();
        (self.of == TypeId::of::<P>())
            .then(|| all.find(|plan| plan.definition().name == self.definition.name))
            .flatten()
    }
}

/// The plans and features of an application.
#[derive(Debug)]
pub(crate) struct Catalog {
    of: TypeId,
    plans: Vec<&'static PlanDef>,
    default: &'static PlanDef,
    features: &'static [Feature],
}

impl Catalog {
    pub(crate) fn of<P: Plans>() -> Self {
        Self {
            of: TypeId::of::<P>(),
            plans: P::ALL.iter().map(|plan| plan.definition()).collect(),
            default: P::DEFAULT.definition(),
            features: P::FEATURES,
        }
    }

    pub(crate) fn default_plan(&self) -> &'static PlanDef {
        self.default
    }

    pub(crate) fn plans(&self) -> &[&'static PlanDef] {
        &self.plans
    }

    /// The plan of this name, or the default one where there is no name; the
    /// error says what was meant.
    pub(crate) fn plan(&self, name: Option<&str>) -> Result<&'static PlanDef, String> {
        let Some(name) = name else {
            return Ok(self.default);
        };
        let found = self.plans.iter().find(|plan| plan.name == name);
        found
            .copied()
            .ok_or_else(|| undeclared("plan", name, self.plans.iter().map(|plan| plan.name)))
    }

    fn feature(&self, name: &str) -> Result<(), String> {
        let mut names = self.features.iter().map(|feature| feature.name());
        if names.any(|feature| feature == name) {
            return Ok(());
        }
        let names = self.features.iter().map(|feature| feature.name());
        Err(undeclared("feature", name, names))
    }

    /// Whether every plan limits a quota.
    pub(crate) fn quota(&self, quota: Quota) -> Result<(), String> {
        let silent = self.plans.iter().find(|plan| plan.limit(quota).is_none());
        match silent {
            None => Ok(()),
            Some(plan) => {
                let known = plan.quotas.iter().map(|(quota, _)| quota.name());
                let missing = undeclared("quota", quota.name(), known);
                Err(format!("in the plan `{}` {missing}", plan.name))
            }
        }
    }

    /// Refuses a name that somebody wants stored and nothing declares.
    pub(crate) fn check_plan(&self, name: &str) -> Result<()> {
        self.plan(Some(name)).map_err(Error::InvalidInput).map(drop)
    }

    /// The same for a feature.
    pub(crate) fn check_feature(&self, name: &str) -> Result<()> {
        self.feature(name).map_err(Error::InvalidInput)
    }

    /// Refuses a new tenant with a plan or features that nothing declares.
    pub(crate) fn check_new(&self, new: &NewTenant) -> Result<()> {
        if let Some(plan) = &new.plan {
            self.check_plan(plan)?;
        }
        let mut features = new.features.iter();
        features.try_for_each(|feature| self.check_feature(feature))
    }

    /// The plan of a stored tenant. One that nothing declares is no plan, and not
    /// the default one.
    pub(crate) fn plan_of(&self, tenant: &TenantRecord) -> Result<OnPlan> {
        let plan = self.plan(tenant.plan.as_deref());
        let definition = plan.map_err(|wrong| Error::internal(stored(tenant, &wrong)))?;
        let of = self.of;
        Ok(OnPlan { definition, of })
    }

    /// What a stored tenant has that nothing declares.
    pub(crate) fn problems(&self, tenant: &TenantRecord) -> Vec<Problem> {
        let plan = self.plan(tenant.plan.as_deref()).err();
        let features = tenant.features.iter().chain(tenant.overrides.keys());
        let features = features.filter_map(|feature| self.feature(feature).err());
        let wrong = plan.into_iter().chain(features);
        wrong.map(|wrong| stored(tenant, &wrong)).collect()
    }
}

fn stored(tenant: &TenantRecord, wrong: &str) -> Problem {
    Problem::new(
        format!("the tenant `{}` as it is stored", tenant.slug),
        wrong,
        "declare it again, or change the tenant with the subcommands `tenants plan` and \
         `tenants reset`",
    )
}

/// `there is no plan `enterprize`; did you mean `enterprise`?`
pub(crate) fn undeclared<'a>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> String {
    let word = name.to_lowercase();
    let near = known
        .clone()
        .map(|known| (strsim::jaro_winkler(&word, known), known))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    let name = problem::shown(name);
    match near {
        Some((_, near)) => format!("there is no {what} `{name}`; did you mean `{near}`?"),
        None => {
            let known: Vec<_> = known.map(|known| format!("`{known}`")).collect();
            let known = match known.as_slice() {
                [] => "none is declared".to_owned(),
                known => format!("expected {}", known.join(", ")),
            };
            format!("there is no {what} `{name}` ({known})")
        }
    }
}
