use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How one tenant's data is kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Strategy {
    /// Shared tables, told apart by row-level security.
    Rls,
    /// A schema of the tenant's own.
    Schema,
    /// A database of the tenant's own.
    Database,
}

/// Why a word is not a [`Strategy`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an isolation strategy is `rls`, `schema` or `database`; got `{0}`")]
pub struct UnknownStrategy(String);

impl Strategy {
    /// The word used in attributes, in the registry and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rls => "rls",
            Self::Schema => "schema",
            Self::Database => "database",
        }
    }
}

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "rls" => Ok(Self::Rls),
            "schema" => Ok(Self::Schema),
            "database" => Ok(Self::Database),
            other => Err(UnknownStrategy(other.escape_debug().to_string())),
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The application's isolation: one strategy for all, or two by tier.
///
/// ```
/// use tenancy_runtime::isolation::{Isolation, Strategy};
///
/// let isolation = Isolation::hybrid(Strategy::Schema, Strategy::Rls)
///     .premium_tenants(["acme-corp"])
///     .premium_plans(["enterprise"]);
/// assert_eq!(isolation.choose("acme-corp", None), Strategy::Schema);
/// assert_eq!(isolation.choose("globex", Some("enterprise")), Strategy::Schema);
/// assert_eq!(isolation.choose("globex", None), Strategy::Rls);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Isolation {
    /// Every tenant alike.
    Single(Strategy),
    /// Premium tenants one way, the rest another.
    Hybrid {
        /// For tenants on the premium list or a premium plan.
        premium: Strategy,
        /// For everybody else.
        standard: Strategy,
        /// Slugs that are premium.
        premium_tenants: Vec<String>,
        /// Plans that are premium.
        premium_plans: Vec<String>,
    },
}

/// The plan that is premium where neither tenants nor plans are named.
const PREMIUM_PLAN: &str = "premium";

impl Isolation {
    /// The same strategy for every tenant.
    #[must_use]
    pub fn single(strategy: Strategy) -> Self {
        Self::Single(strategy)
    }

    /// Two strategies by tier; add premium tenants or plans to it. While neither
    /// is named, tenants on the plan `premium` are premium.
    #[must_use]
    pub fn hybrid(premium: Strategy, standard: Strategy) -> Self {
        Self::Hybrid {
            premium,
            standard,
            premium_tenants: Vec::new(),
            premium_plans: Vec::new(),
        }
    }

    /// Adds slugs to the premium tier. Without effect on a single strategy.
    #[must_use]
    pub fn premium_tenants<S: Into<String>>(mut self, slugs: impl IntoIterator<Item = S>) -> Self {
        if let Self::Hybrid {
            premium_tenants, ..
        } = &mut self
        {
            premium_tenants.extend(slugs.into_iter().map(Into::into));
        }
        self
    }

    /// Adds plans to the premium tier. Without effect on a single strategy.
    #[must_use]
    pub fn premium_plans<S: Into<String>>(mut self, plans: impl IntoIterator<Item = S>) -> Self {
        if let Self::Hybrid { premium_plans, .. } = &mut self {
            premium_plans.extend(plans.into_iter().map(Into::into));
        }
        self
    }

    /// The strategy of a tenant about to be provisioned.
    ///
    /// This is asked once in a tenant's life: the answer becomes its stored
    /// locator, and a later change of list or plan moves no data.
    #[must_use]
    pub fn choose(&self, slug: &str, plan: Option<&str>) -> Strategy {
        match self {
            Self::Single(strategy) => *strategy,
            Self::Hybrid {
                premium,
                standard,
                premium_tenants,
                premium_plans,
            } => {
                let listed = premium_tenants.iter().any(|premium| premium == slug);
                let nobody = premium_tenants.is_empty() && premium_plans.is_empty();
                let by_plan = plan.is_some_and(|plan| {
                    premium_plans.iter().any(|premium| premium == plan)
                        || (nobody && plan == PREMIUM_PLAN)
                });
                if listed || by_plan {
                    *premium
                } else {
                    *standard
                }
            }
        }
    }

    /// Every strategy a tenant may have under this choice.
    #[must_use]
    pub fn strategies(&self) -> Vec<Strategy> {
        match self {
            Self::Single(strategy) => vec![*strategy],
            Self::Hybrid {
                premium, standard, ..
            } => vec![*premium, *standard],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hybrid_chooses_by_list_and_by_plan() {
        let isolation = Isolation::hybrid(Strategy::Schema, Strategy::Rls)
            .premium_tenants(["acme-corp"])
            .premium_plans(["enterprise"]);
        assert_eq!(isolation.choose("acme-corp", None), Strategy::Schema);
        assert_eq!(
            isolation.choose("globex", Some("enterprise")),
            Strategy::Schema
        );
        assert_eq!(isolation.choose("globex", Some("free")), Strategy::Rls);
        assert_eq!(isolation.choose("globex", None), Strategy::Rls);
        assert_eq!(isolation.choose("globex", Some("premium")), Strategy::Rls);
    }

    #[test]
    fn the_plan_premium_is_premium_while_nobody_is_named() {
        let isolation = Isolation::hybrid(Strategy::Schema, Strategy::Rls);
        assert_eq!(
            isolation.choose("globex", Some("premium")),
            Strategy::Schema
        );
        assert_eq!(isolation.choose("globex", Some("free")), Strategy::Rls);
        assert_eq!(isolation.choose("globex", None), Strategy::Rls);
        let listed = isolation.premium_tenants(["acme-corp"]);
        assert_eq!(listed.choose("globex", Some("premium")), Strategy::Rls);
    }
}
