//! Plans as the enum describes them, once every rule holds.

use proc_macro2::Span;
use syn::{Ident, Path};

use crate::common::RateLimit;

/// What `expand` writes out.
pub(super) struct Plans {
    pub(super) ident: Ident,
    /// Where features are first spoken of.
    pub(super) features: Option<Span>,
    pub(super) plans: Vec<Plan>,
    /// The variant that is the default.
    pub(super) default: Ident,
}

pub(super) struct Plan {
    pub(super) variant: Ident,
    /// The name that is stored.
    pub(super) name: String,
    /// None where the plan says nothing of features.
    pub(super) features: Option<Features>,
    pub(super) rate_limit: Option<RateLimit>,
    /// Each with its number, or none for as many as there are.
    pub(super) quotas: Vec<(Ident, Option<u32>)>,
}

pub(super) enum Features {
    /// Those that are declared, spanned on the word for them.
    All(Ident),
    /// These, spanned as the user wrote them.
    Listed(Vec<Path>),
}
