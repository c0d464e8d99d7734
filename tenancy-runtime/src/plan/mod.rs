//! What a tenant may use, and how often ([`RateLimit`]). Features are declared once, by
//! [`features!`](crate::features), and handlers name the generated constants,
//! so a misspelt one does not compile.
//!
//! [`Plans`] bundle them: an enum, since `match` then knows every plan, and a
//! derive, since the enum stays as it was written whatever is wrong with its
//! attributes. Which plan a tenant is on is stored by name, as is what it was
//! granted or refused beyond that ([`Override`](crate::tenant::Override)). All of
//! it comes with the tenant from memory: a gate asks nobody. A stored name that
//! is not declared any more is an error that names the tenant, and never the
//! default plan. Without plans the features stored with a tenant are what it has.

mod catalog;
mod plans;
mod quota;
mod rate;
mod settings;

use std::fmt;

pub(crate) use catalog::{Catalog, OnPlan};
pub use plans::{PlanDef, Plans};
pub use quota::{Quota, QuotaLimit, Usage};
pub use rate::{InvalidRateLimit, Per, RateLimit, RouteLimit};
pub(crate) use settings::Settings;

/// A feature of the application, declared by [`features!`](crate::features).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Feature(&'static str);

impl Feature {
    /// A feature of this name; [`features!`](crate::features) calls it.
    #[must_use]
    pub const fn declare(name: &'static str) -> Self {
        Self(name)
    }

    /// The name stored with a tenant.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl From<Feature> for String {
    fn from(feature: Feature) -> Self {
        feature.0.to_owned()
    }
}

/// Declares the application's features, in the root of the crate.
///
/// It makes a module `features` with one constant for each, which
/// `#[tenant_handler(feature = "…")]` names: a feature that is not declared
/// does not compile.
///
/// ```
/// tenancy_runtime::features! {
///     /// Charts and summaries.
///     advanced_analytics,
///     exports,
/// }
///
/// # fn main() {
/// assert_eq!(features::advanced_analytics.name(), "advanced_analytics");
/// assert_eq!(features::ALL.len(), 2);
/// # }
/// ```
#[macro_export]
macro_rules! features {
    ($($(#[$attr:meta])* $name:ident),+ $(,)?) => {
        /// The features of this application.
        #[allow(non_upper_case_globals, missing_docs)]
        pub mod features {
            $($(#[$attr])* pub const $name: $crate::plan::Feature =
                $crate::plan::Feature::declare(stringify!($name));)+
            /// Every feature, in the order of declaration.
            pub const ALL: &[$crate::plan::Feature] = &[$($name),+];
        }
    };
}
