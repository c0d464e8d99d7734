//! What stands in when a column's type is unknown or there is no key: the error
//! has been reported, and code that loads the model should add none of its own.

use proc_macro2::TokenStream;
use quote::quote;

use super::super::ir::Model;
use super::Names;

pub(super) fn expand(model: &Model, names: &Names<'_>) -> TokenStream {
    let ident = names.model;
    let row = model.columns.iter().map(|column| {
        if column.is_known() {
            let ty = &column.ty;
            quote!(#ty)
        } else if column.nullable {
            quote!(::core::option::Option<i64>)
        } else {
            quote!(i64)
        }
    });
    let row = quote!((#(#row,)*));
    quote! {
        #[automatically_derived]
        impl<Columns> ::diesel::deserialize::Queryable<Columns, ::diesel::pg::Pg> for #ident
        where
            #row: ::diesel::deserialize::FromStaticSqlRow<Columns, ::diesel::pg::Pg>,
        {
            type Row = #row;

            fn build(_: Self::Row) -> ::diesel::deserialize::Result<Self> {
                ::core::unreachable!()
            }
        }
    }
}
