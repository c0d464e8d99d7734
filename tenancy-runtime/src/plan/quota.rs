use std::fmt;

/// How much of something a tenant may have, declared by [`quotas!`](crate::quotas).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quota(&'static str);

impl Quota {
    /// A quota of this name; [`quotas!`](crate::quotas) calls it.
    #[must_use]
    pub const fn declare(name: &'static str) -> Self {
        Self(name)
    }

    /// The name under which it is counted.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What a plan says of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaLimit {
    /// So many and no more.
    AtMost(u32),
    /// As many as there are.
    Unlimited,
}

impl QuotaLimit {
    /// The number, if there is one.
    #[must_use]
    pub const fn most(self) -> Option<u32> {
        match self {
            Self::AtMost(most) => Some(most),
            Self::Unlimited => None,
        }
    }
}

/// How much of a quota is used, and how much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// The rows that count.
    pub used: u64,
    /// How many there may be.
    pub limit: QuotaLimit,
}

/// Declares the application's quotas, in the root of the crate.
///
/// It makes a module `quotas` with one constant for each, which
/// `#[tenant_model(quota = "…")]` and plans name: a quota that is not declared
/// does not compile.
///
/// ```
/// tenancy_runtime::quotas! {
///     /// People with a login.
///     users,
/// }
///
/// # fn main() {
/// assert_eq!(quotas::users.name(), "users");
/// # }
/// ```
#[macro_export]
macro_rules! quotas {
    ($($(#[$attr:meta])* $name:ident),+ $(,)?) => {
        /// The quotas of this application.
        #[allow(non_upper_case_globals, missing_docs)]
        pub mod quotas {
            $($(#[$attr])* pub const $name: $crate::plan::Quota =
                $crate::plan::Quota::declare(stringify!($name));)+
            /// Every quota, in the order of declaration.
            pub const ALL: &[$crate::plan::Quota] = &[$($name),+];
        }
    };
}
