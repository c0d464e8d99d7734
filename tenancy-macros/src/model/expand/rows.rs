//! The model's own functions: reading, deleting, and the names of its keys.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::super::ir::{Audience, Model};
use super::Names;

/// `query`, the same for every model.
pub(super) fn query(model: &Model, names: &Names<'_>) -> TokenStream {
    let Names {
        model: ident,
        table,
        ..
    } = names;
    let visibility = &model.item.vis;
    let primary_key = model.primary_key_name();
    let docs = match model.audience {
        Audience::Tenant => " All rows of the tenant, as a query to narrow down.",
        Audience::Shared => " All rows, as a query to narrow down.",
    };
    quote! {
        #[allow(dead_code)]
        impl #ident {
            /// The name of the primary key in every layout, for `on_constraint`.
            #visibility const PRIMARY_KEY: &'static str = #primary_key;

            #[doc = #docs]
            #visibility fn query() -> ::diesel::dsl::Select<
                #table::table,
                ::diesel::dsl::AsSelect<Self, ::diesel::pg::Pg>,
            > {
                ::diesel::QueryDsl::select(
                    #table::table,
                    <Self as ::diesel::SelectableHelper<::diesel::pg::Pg>>::as_select(),
                )
            }
        }
    }
}

/// `find`, `delete` and the names of the unique keys, for a tenant's table.
pub(super) fn write(model: &Model, names: &Names<'_>) -> TokenStream {
    let Names {
        krate,
        private,
        model: ident,
        table,
        ..
    } = names;
    let visibility = &model.item.vis;
    let key = key_argument(names);
    let unique_names = unique_names(model);
    let find = body(model, || {
        quote! {
            let __key = #private::IntoKey::<#ident>::into_key(__key, __db)?;
            #private::Owned::one(::diesel::QueryDsl::find(Self::query(), __key), __db).await
        }
    });
    let delete = body(model, || {
        quote! {
            let __key = #private::IntoKey::<#ident>::into_key(__key, __db)?;
            #private::delete(
                ::diesel::delete(::diesel::QueryDsl::find(#table::table, __key)),
                __db,
            )
            .await
        }
    });
    quote! {
        #[allow(dead_code)]
        impl #ident {
            #unique_names

            /// Reads the row with this key, and gives it together with its tenant.
            ///
            /// # Errors
            ///
            /// Not found when the tenant has no such row.
            #visibility async fn find(
                #key,
                __db: &mut #krate::TenantConn,
            ) -> #krate::Result<#private::Owned<#ident>> {
                #find
            }

            /// Deletes the row with this key.
            ///
            /// # Errors
            ///
            /// Not found when the tenant has no such row; a conflict when
            /// another row refers to it.
            #visibility async fn delete(
                #key,
                __db: &mut #krate::TenantConn,
            ) -> #krate::Result<()> {
                #delete
            }
        }
    }
}

fn unique_names(model: &Model) -> TokenStream {
    let visibility = &model.item.vis;
    let keys = model.uniques.iter().enumerate();
    // One of two with the same name has been reported.
    let first = keys.filter(|(at, key)| {
        let earlier = &model.uniques[..*at];
        !model.is_named_like_primary(key) && earlier.iter().all(|k| k.name != key.name)
    });
    first
        .map(|(_, key)| {
            let columns = model.names(key);
            let constant = format_ident!("{}", model.constant(key));
            let docs = format!(
                " The name of the unique constraint on `{}`, for `on_constraint`.",
                columns.join("`, `")
            );
            let name = &key.name;
            quote! {
                #[doc = #docs]
                #visibility const #constant: &'static str = #name;
            }
        })
        .collect()
}

/// The argument that names a row.
pub(super) fn key_argument(names: &Names<'_>) -> TokenStream {
    let Names { private, model, .. } = names;
    quote!(__key: impl #private::IntoKey<#model>)
}

/// The type of the key: that of its field, or of all its fields in order.
pub(super) fn key_type(model: &Model) -> TokenStream {
    let keys = model.key_columns();
    match &keys[..] {
        [column] => {
            let ty = &column.ty;
            quote!(#ty)
        }
        several => {
            let types = several.iter().map(|column| &column.ty);
            quote!((#(#types),*))
        }
    }
}

/// A function's body, or a stand-in where Diesel could only complain.
pub(super) fn body(model: &Model, body: impl FnOnce() -> TokenStream) -> TokenStream {
    if model.is_sound() {
        body()
    } else {
        quote!(::core::unreachable!())
    }
}
