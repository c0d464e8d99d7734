//! What a reference gives: the compiler's word that it fits, and the join.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::super::ir::{Audience, Model};
use super::Names;

pub(super) fn expand(model: &Model, names: &Names<'_>) -> TokenStream {
    let Names { private, table, .. } = names;
    // A shared table outlives every tenant, so what it refers to must as well.
    let check = match model.audience {
        Audience::Tenant => quote!(refers_to_model),
        Audience::Shared => quote!(refers_to_shared_model),
    };
    let referring = model.columns.iter().filter_map(|column| {
        let reference = column.reference.as_ref()?;
        column.is_known().then_some((column, reference))
    });
    referring
        .map(|(column, reference)| {
            let target = &reference.target;
            let column = &column.name.rust;
            let join = reference
                .joins
                .then(|| quote!(#private::join! { #table::table, #table::#column => #target }));
            let check = quote_spanned! {target.span()=>
                const _: () = #private::#check::<#table::#column, #target>();
            };
            quote!(#check #join)
        })
        .collect()
}
