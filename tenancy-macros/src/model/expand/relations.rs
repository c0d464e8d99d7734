//! What a reference gives: the compiler's word that it fits, and the join.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::super::ir::{Audience, Model, Reference};
use super::Names;

pub(super) fn expand(model: &Model, names: &Names<'_>) -> TokenStream {
    let Names { private, table, .. } = names;
    let referring = model.columns.iter().filter_map(|column| {
        let reference = column.reference.as_ref()?;
        column.is_known().then_some((&column.name.rust, reference))
    });
    let references = referring.map(|(column, reference)| {
        // Errors about the reference are to stand where the user wrote it.
        let mut path = [(*table).clone(), column.clone()];
        path.iter_mut()
            .for_each(|name| name.set_span(reference.target.span()));
        let [module, column] = path;
        let column = quote!(#module::#column);
        let check = check(model, &column, reference, names);
        let joined = reference.joins.then(|| joined(&column, reference, names));
        quote!(#check #joined)
    });
    let name = &model.table.sql;
    quote! {
        #private::joins! { #table::table, #name }
        #(#references)*
    }
}

fn check(
    model: &Model,
    column: &TokenStream,
    reference: &Reference,
    names: &Names<'_>,
) -> TokenStream {
    let (private, target) = (&names.private, &reference.target);
    // A shared table outlives every tenant, so what it refers to must as well.
    let check = match model.audience {
        Audience::Tenant => quote!(refers_to_model),
        Audience::Shared => quote!(refers_to_shared_model),
    };
    quote_spanned! {target.span()=>
        const _: () = #private::#check::<#column, #target>();
    }
}

fn joined(column: &TokenStream, reference: &Reference, names: &Names<'_>) -> TokenStream {
    let private = &names.private;
    let target = &reference.target;
    let mut table = names.table.clone();
    table.set_span(target.span());
    let parent = quote_spanned!(target.span()=> <#target as #private::Model>::Table);
    quote_spanned! {target.span()=>
        #[automatically_derived]
        impl #private::JoinedUnlessNoJoin<#parent> for #table::table {
            type Column = #column;
            type Side = #private::Referring;
        }

        #[automatically_derived]
        impl #private::JoinedUnlessNoJoin<#table::table> for #parent {
            type Column = #column;
            type Side = #private::Referred;
        }
    }
}
