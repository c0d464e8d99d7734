//! Writes the plans out as the `impl` that one would write by hand. Nothing is
//! decided here.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DataEnum, Fields, Ident, Variant};

use crate::common::{Crate, RateLimit};

use super::ir::{Features, Plan, Plans};

pub(super) fn expand(krate: &Crate, plans: &Plans) -> TokenStream {
    let Plans {
        ident,
        features,
        plans,
        default,
    } = plans;
    let private = quote!(#krate::__private);
    let variants = plans.iter().map(|plan| &plan.variant);
    // An application whose plans say nothing of features need not declare any.
    let declared = match features {
        Some(span) => quote_spanned!(*span=> crate::features::ALL),
        None => quote!(&[]),
    };
    let arms = plans.iter().map(|plan| arm(&private, plan));
    quote! {
        #[allow(unused_qualifications)]
        #[automatically_derived]
        impl #private::Plans for #ident {
            const ALL: &'static [Self] = &[#(Self::#variants),*];
            const DEFAULT: Self = Self::#default;
            const FEATURES: &'static [#private::Feature] = #declared;
            fn definition(self) -> &'static #private::PlanDef {
                match self {
                    #(#arms)*
                }
            }
        }
    }
}

fn arm(private: &TokenStream, plan: &Plan) -> TokenStream {
    let Plan {
        variant,
        name,
        features,
        rate_limit,
        quotas,
    } = plan;
    let features = match features {
        None => quote!(&[]),
        Some(Features::All(word)) => quote_spanned!(word.span()=> crate::features::ALL),
        Some(Features::Listed(paths)) => {
            let paths = paths.iter().map(|path| match path.get_ident() {
                Some(feature) => quote_spanned!(feature.span()=> crate::features::#feature),
                None => quote_spanned!(path.span()=> #path),
            });
            quote!(&[#(#paths),*])
        }
    };
    let rate_limit = match rate_limit {
        None => quote!(::core::option::Option::None),
        Some(RateLimit { requests, per }) => {
            let per = format_ident!("{per}");
            quote! {
                ::core::option::Option::Some(
                    #private::RateLimit::new(#requests, #private::Per::#per),
                )
            }
        }
    };
    let quotas = quotas.iter().map(|(quota, most)| {
        let quota = quote_spanned!(quota.span()=> crate::quotas::#quota);
        match most {
            Some(most) => quote!((#quota, #private::QuotaLimit::AtMost(#most))),
            None => quote!((#quota, #private::QuotaLimit::Unlimited)),
        }
    });
    quote! {
        Self::#variant => const {
            &#private::PlanDef {
                name: #name,
                features: #features,
                rate_limit: #rate_limit,
                quotas: &[#(#quotas),*],
            }
        },
    }
}

/// So that a mistake in the plans is no second one where they are used.
pub(super) fn fallback(krate: &Crate, ident: &Ident, of: &DataEnum) -> TokenStream {
    let units = of.variants.iter();
    let mut units = units.filter(|variant| matches!(variant.fields, Fields::Unit));
    let Some(Variant { ident: some, .. }) = units.next() else {
        return TokenStream::new();
    };
    quote! {
        #[automatically_derived]
        impl #krate::__private::Plans for #ident {
            const ALL: &'static [Self] = &[];
            const DEFAULT: Self = Self::#some;
            const FEATURES: &'static [#krate::__private::Feature] = &[];
            fn definition(self) -> &'static #krate::__private::PlanDef {
                ::core::unreachable!()
            }
        }
    }
}
