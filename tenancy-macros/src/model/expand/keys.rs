//! What names a row: its key as a plain value, or a row that knows its tenant.

use proc_macro2::TokenStream;
use quote::quote;

use super::super::ir::Model;
use super::Names;
use super::rows::{body, key_type};

pub(super) fn expand(model: &Model, names: &Names<'_>) -> TokenStream {
    let Names {
        krate,
        private,
        model: ident,
        ..
    } = names;
    let key = key_type(model);
    let fields = model.key_columns();
    let fields = fields.iter().map(|column| &column.field);
    let of_row = body(model, || {
        let values = fields.map(|field| quote!(::core::clone::Clone::clone(&self.#field)));
        quote!((#(#values),*))
    });
    quote! {
        #[automatically_derived]
        impl #private::Keyed for #ident {
            type Key = #key;

            fn key(&self) -> Self::Key {
                #of_row
            }
        }

        #[automatically_derived]
        impl #private::IntoKey<#ident> for #key {
            fn into_key(self, _: &#krate::TenantConn) -> #krate::Result<#key> {
                ::core::result::Result::Ok(self)
            }
        }
    }
}
