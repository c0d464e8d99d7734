//! `impl Model`: the table as plain data for the runtime.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::super::ir::{Audience, Column, Generated, Key, Model};
use super::Names;

pub(super) fn expand(model: &Model, names: &Names<'_>) -> TokenStream {
    let Names {
        private,
        model: ident,
        table,
        ..
    } = names;
    let name = ident.to_string();
    let table_name = &model.table.sql;
    let (audience, marker) = match model.audience {
        Audience::Tenant => (quote!(Tenant), quote!(TenantModel)),
        Audience::Shared => (quote!(Shared), quote!(SharedModel)),
    };
    let quota = match &model.quota {
        Some(quota) => {
            let quota = quote_spanned!(quota.span()=> crate::quotas::#quota);
            quote!(::core::option::Option::Some(#quota))
        }
        None => quote!(::core::option::Option::None),
    };
    let migrated = model.migrated.is_some();
    let columns = model.columns.iter().map(|it| column(it, private));
    let keys = model.key_columns();
    let primary_key = keys.iter().map(|column| &column.name.sql);
    let uniques = model.uniques.iter().map(|it| key(model, it, private));
    let indexes = model.indexes.iter().map(|it| key(model, it, private));
    let references = model.columns.iter().filter_map(|it| reference(it, private));
    quote! {
        #[automatically_derived]
        impl #private::Model for #ident {
            type Table = #table::table;

            fn definition() -> &'static #private::ModelDef {
                static DEFINITION: #private::ModelDef = #private::ModelDef {
                    name: #name,
                    table: #table_name,
                    audience: #private::Audience::#audience,
                    migrated: #migrated,
                    append_only: false,
                    read_only: false,
                    quota: #quota,
                    columns: &[#(#columns),*],
                    primary_key: &[#(#primary_key),*],
                    uniques: &[#(#uniques),*],
                    indexes: &[#(#indexes),*],
                    references: &[#(#references),*],
                };
                &DEFINITION
            }
        }

        #[automatically_derived]
        impl #private::#marker for #ident {}
    }
}

fn column(column: &Column, private: &TokenStream) -> TokenStream {
    let (name, sql) = (&column.name.sql, column.sql());
    let nullable = column.nullable.then(|| quote!(nullable: true,));
    let given = column.default.as_deref();
    let default = match column.generated {
        Some(Generated::Uuid) => Some("gen_random_uuid()"),
        _ => given,
    };
    let default = default.map(|sql| quote!(default: ::core::option::Option::Some(#sql),));
    let identity = (column.generated == Some(Generated::Identity)).then(|| quote!(identity: true,));
    let new = quote!(#private::ColumnDef::new(#name, #sql));
    if nullable.is_none() && default.is_none() && identity.is_none() {
        return new;
    }
    quote!(#private::ColumnDef { #nullable #default #identity ..#new })
}

fn key(model: &Model, key: &Key, private: &TokenStream) -> TokenStream {
    let name = &key.name;
    let columns = model.names(key);
    quote!(#private::KeyDef { name: #name, columns: &[#(#columns),*] })
}

fn reference(column: &Column, private: &TokenStream) -> Option<TokenStream> {
    let reference = column.reference.as_ref()?;
    let (name, target) = (&reference.name, &reference.target);
    let column = &column.name.sql;
    Some(quote! {
        #private::ReferenceDef {
            name: #name,
            column: #column,
            target: <#target as #private::Model>::definition,
        }
    })
}
