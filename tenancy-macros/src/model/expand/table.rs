//! Diesel's `table!`, in the placeholder schema that the connection replaces.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Attribute;

use super::super::ir::{Audience, Column, Model};
use super::super::naming::Name;

pub(super) fn expand(model: &Model) -> TokenStream {
    let schema = match model.audience {
        Audience::Tenant => format_ident!("tenant"),
        Audience::Shared => format_ident!("shared"),
    };
    let table = &model.table.rust;
    let sql_name = sql_name(&model.table);
    let keys = model.key_columns();
    let keys = keys.iter().map(|column| &column.name.rust);
    let columns = model.columns.iter().map(column);
    let docs = format!(
        " The table of [`{}`], for Diesel's query builder.",
        model.item.ident
    );
    quote! {
        ::diesel::table! {
            #[doc = #docs]
            #sql_name
            #schema.#table (#(#keys),*) {
                #(#columns)*
            }
        }
    }
}

fn column(column: &Column) -> TokenStream {
    let name = &column.name.rust;
    let sql_name = sql_name(&column.name);
    let ty = column.diesel();
    let docs = docs(column);
    quote! {
        #(#docs)*
        #sql_name
        #name -> #ty,
    }
}

/// The field's docs, or a line that says what it is.
pub(super) fn docs(column: &Column) -> Vec<Attribute> {
    let of_user: Vec<Attribute> = column
        .carried
        .iter()
        .filter(|a| a.path().is_ident("doc"))
        .cloned()
        .collect();
    if of_user.is_empty() {
        let docs = format!(" The column `{}`.", column.name.sql);
        return vec![syn::parse_quote!(#[doc = #docs])];
    }
    of_user
}

fn sql_name(name: &Name) -> Option<TokenStream> {
    let sql = &name.sql;
    name.differs().then(|| quote!(#[sql_name = #sql]))
}
