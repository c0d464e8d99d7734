use super::{Feature, Quota, QuotaLimit, RateLimit};

/// The plans of an application, as an enum; `#[derive(Plans)]` implements it.
///
/// By hand:
///
/// ```
/// use tenancy_runtime::plan::{Per, PlanDef, Plans, RateLimit};
///
/// tenancy_runtime::features! { exports }
///
/// #[derive(Debug, Clone, Copy, PartialEq, Eq)]
/// enum Plan {
///     Free,
///     Pro,
/// }
///
/// impl Plans for Plan {
///     const ALL: &'static [Self] = &[Self::Free, Self::Pro];
///     const DEFAULT: Self = Self::Free;
///     const FEATURES: &'static [tenancy_runtime::plan::Feature] = features::ALL;
///     fn definition(self) -> &'static PlanDef {
///         match self {
///             Self::Free => const { &PlanDef {
///                 name: "free",
///                 features: &[],
///                 rate_limit: None,
///                 quotas: &[],
///             } },
///             Self::Pro => const { &PlanDef {
///                 name: "pro",
///                 features: features::ALL,
///                 rate_limit: Some(RateLimit::new(1000, Per::Minute)),
///                 quotas: &[],
///             } },
///         }
///     }
/// }
/// # fn main() {
/// assert_eq!(Plan::Pro.name(), "pro");
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` declares no plans",
    label = "put `#[derive(Plans)]` on the enum of the plans"
)]
pub trait Plans: Copy + Send + Sync + 'static {
    /// Every plan.
    const ALL: &'static [Self];

    /// The plan of a tenant that was given none.
    const DEFAULT: Self;

    /// Every feature that may be granted, whatever plan has it.
    const FEATURES: &'static [Feature];

    /// What the plan offers.
    fn definition(self) -> &'static PlanDef;

    /// The name that is stored with a tenant.
    #[must_use]
    fn name(self) -> &'static str {
        self.definition().name
    }
}

/// What a plan offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanDef {
    /// The name that is stored with a tenant.
    pub name: &'static str,
    /// What its tenants may use.
    pub features: &'static [Feature],
    /// How many requests of a tenant are let through, instead of
    /// `TENANCY_RATE_LIMIT_PER_MINUTE`, where `TENANCY_ENABLE_RATE_LIMITING` says
    /// that there is such a limit.
    pub rate_limit: Option<RateLimit>,
    /// How many rows a tenant may have of models with a quota.
    pub quotas: &'static [(Quota, QuotaLimit)],
}

impl PlanDef {
    /// What the plan says of a quota.
    #[must_use]
    pub fn limit(&self, quota: Quota) -> Option<QuotaLimit> {
        let mut all = self.quotas.iter();
        all.find(|(of, _)| *of == quota).map(|(_, limit)| *limit)
    }
}
