//! `New…`, which makes a row, and `…Changes`, which changes one. What the client
//! may leave out, and what it may not give, is in their serde attributes: a key
//! that the database makes, and what the model's own attributes skip.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, Ident, Meta, Type, parse_quote};

use super::super::ir::{Column, Model};
use super::super::item::nested;
use super::Names;
use super::rows::{body, key_argument};
use super::schema;
use super::table::docs;

/// What of serde's on the struct holds for its input as well.
const CARRIED_SERDE: &[&str] = &["rename_all", "deny_unknown_fields"];

/// The struct that makes a row.
pub(super) fn new(model: &Model, names: &Names<'_>) -> TokenStream {
    let Names {
        krate,
        private,
        model: ident,
        new,
        table,
        ..
    } = names;
    let visibility = &model.item.vis;
    let docs = format!(" A new row of [`{ident}`]. What is `None` is left to the database.");
    let described = format!("A new {ident}. What may be left out has a default.");
    let serde = serde(model, names);
    let check = model
        .is_sound()
        .then(|| quote!(, check_for_backend(::diesel::pg::Pg)));
    let debug = debug(model);
    // Diesel has no row without columns, which is what unknown ones leave.
    let insertable = model.columns.iter().any(Column::is_known).then(|| {
        quote! {
            #[derive(::diesel::Insertable)]
            #[diesel(table_name = #table #check)]
        }
    });
    let fields = model.columns.iter().map(|column| {
        let ty = &column.ty;
        let (ty, optional): (Type, bool) = if column.has_default() {
            (parse_quote!(::core::option::Option<#ty>), true)
        } else {
            (ty.clone(), column.nullable)
        };
        let serde = if column.generated.is_some() || column.not_of_clients {
            quote!(#[serde(skip_deserializing)])
        } else if column.has_default() && column.nullable {
            present(names)
        } else if optional {
            quote!(#[serde(default)])
        } else {
            TokenStream::new()
        };
        let diesel = insertable
            .is_some()
            .then(|| diesel(column, "skip_insertion"))
            .flatten();
        Field {
            column,
            attributes: quote!(#serde #diesel),
            ty,
        }
    });
    let fields: Vec<_> = fields.collect();
    let Fields {
        fields,
        schema,
        beside,
    } = Fields::of(model, names, (new, &described), fields);
    let insert = |how: TokenStream| {
        body(model, || {
            quote! {
                #private::#how(
                    ::diesel::insert_into(#table::table).values(self).returning(
                        <#ident as ::diesel::SelectableHelper<::diesel::pg::Pg>>::as_returning(),
                    ),
                    __db,
                )
                .await
            }
        })
    };
    let (insert, insert_owned) = (insert(quote!(insert)), insert(quote!(Owned::one)));
    quote! {
        #[doc = #docs]
        #[allow(dead_code)]
        #[derive(#debug Clone, #private::serde::Deserialize)]
        #serde
        #schema
        #insertable
        #visibility struct #new {
            #(#fields)*
        }

        #beside

        #[allow(dead_code)]
        impl #new {
            /// Inserts the row and gives it back as it is stored.
            ///
            /// # Errors
            ///
            /// A conflict when a unique key is taken or a referred row is missing.
            #visibility async fn insert(
                &self,
                __db: &mut #krate::TenantConn,
            ) -> #krate::Result<#ident> {
                #insert
            }

            /// Inserts the row and gives it back together with its tenant.
            ///
            /// # Errors
            ///
            /// Those of `insert`.
            #visibility async fn insert_owned(
                &self,
                __db: &mut #krate::TenantConn,
            ) -> #krate::Result<#private::Owned<#ident>> {
                #insert_owned
            }
        }
    }
}

/// The struct that changes a row; none where all columns are the key.
pub(super) fn changes(model: &Model, names: &Names<'_>) -> TokenStream {
    let columns = model.plain_columns();
    if columns.is_empty() {
        return TokenStream::new();
    }
    let Names {
        krate,
        private,
        model: ident,
        changes,
        table,
        ..
    } = names;
    let visibility = &model.item.vis;
    let docs = format!(" Changes to a row of [`{ident}`]. What is `None` stays as it is.");
    let described = format!("Changes to one {ident}. What is left out stays as it is.");
    let serde = serde(model, names);
    let keys = model.key_columns();
    let keys = keys.iter().map(|column| &column.name.rust);
    let debug = debug(model);
    let changeset = columns.iter().any(|column| column.is_known()).then(|| {
        quote! {
            #[derive(::diesel::AsChangeset)]
            #[diesel(table_name = #table, primary_key(#(#keys),*))]
        }
    });
    let fields = columns.iter().map(|column| {
        let ty = &column.ty;
        let serde = if column.not_of_clients {
            quote!(#[serde(skip_deserializing)])
        } else if column.nullable {
            present(names)
        } else {
            quote!(#[serde(default)])
        };
        let diesel = changeset
            .is_some()
            .then(|| diesel(column, "skip_update"))
            .flatten();
        Field {
            column,
            attributes: quote!(#serde #diesel),
            ty: parse_quote!(::core::option::Option<#ty>),
        }
    });
    let fields: Vec<_> = fields.collect();
    let Fields {
        fields,
        schema,
        beside,
    } = Fields::of(model, names, (changes, &described), fields);
    let key = key_argument(names);
    let update = body(model, || {
        quote! {
            let __key = #private::IntoKey::<#ident>::into_key(__key, __db)?;
            #private::update(
                ::diesel::update(::diesel::QueryDsl::find(
                    #table::table,
                    ::core::clone::Clone::clone(&__key),
                ))
                .set(self)
                .returning(
                    <#ident as ::diesel::SelectableHelper<::diesel::pg::Pg>>::as_returning(),
                ),
                ::diesel::QueryDsl::select(
                    ::diesel::QueryDsl::find(#table::table, __key),
                    <#ident as ::diesel::SelectableHelper<::diesel::pg::Pg>>::as_select(),
                ),
                __db,
            )
            .await
        }
    });
    quote! {
        #[doc = #docs]
        #[allow(dead_code)]
        #[derive(#debug Clone, Default, #private::serde::Deserialize)]
        #serde
        #schema
        #changeset
        #visibility struct #changes {
            #(#fields)*
        }

        #beside

        #[allow(dead_code)]
        impl #changes {
            /// Changes the row with this key and gives it back as it is stored.
            ///
            /// # Errors
            ///
            /// Not found when the tenant has no such row; a conflict when a
            /// unique key is taken or a referred row is missing.
            #visibility async fn update(
                &self,
                #key,
                __db: &mut #krate::TenantConn,
            ) -> #krate::Result<#ident> {
                #update
            }
        }
    }
}

/// A field of the input, with what Diesel and serde are told of it.
struct Field<'a> {
    column: &'a Column,
    attributes: TokenStream,
    ty: Type,
}

/// The fields as they are written, and what is said of their JSON.
struct Fields {
    fields: Vec<TokenStream>,
    schema: TokenStream,
    /// What goes beside the struct.
    beside: TokenStream,
}

impl Fields {
    fn of(
        model: &Model,
        names: &Names<'_>,
        (ident, description): (&Ident, &str),
        fields: Vec<Field<'_>>,
    ) -> Self {
        let derive = schema::derive(model, names);
        let mut beside = TokenStream::new();
        let fields = fields.into_iter().map(|field| {
            let column = field.column;
            let mut of_schema = None;
            if derive.is_some() {
                let carried = &column.carried;
                let (attribute, function) =
                    schema::on_field(column, names, ident, &field.ty, carried);
                of_schema = attribute;
                beside.extend(function);
            }
            let docs = docs(column);
            let renames = column.carried.iter().filter(|a| !a.path().is_ident("doc"));
            let (visibility, name) = (&column.visibility, &column.field);
            let Field { attributes, ty, .. } = field;
            quote! {
                #(#docs)*
                #(#renames)*
                #attributes
                #of_schema
                #visibility #name: #ty,
            }
        });
        let fields = fields.collect();
        let schema = derive.map(|derive| {
            let on_struct = schema::on_struct(names, Some(description));
            quote!(#[derive(#derive)] #on_struct)
        });
        Self {
            fields,
            schema: schema.unwrap_or_default(),
            beside,
        }
    }
}

/// What Diesel is told of a field: its column, or to leave it out because the
/// column is unknown.
fn diesel(column: &Column, skip: &str) -> Option<Attribute> {
    let skip = format_ident!("{skip}");
    if column.is_known() {
        column_name(column)
    } else {
        Some(parse_quote!(#[diesel(#skip)]))
    }
}

/// Tells Diesel the column, where it is not called like the field.
pub(super) fn column_name(column: &Column) -> Option<Attribute> {
    let name = &column.name.rust;
    (column.name.rust != column.field).then(|| parse_quote!(#[diesel(column_name = #name)]))
}

/// Tells `null`, which clears a column, from a field that was left out.
fn present(names: &Names<'_>) -> TokenStream {
    let present = names.krate.private_path("present");
    quote!(#[serde(default, deserialize_with = #present)])
}

/// The input has the model's fields, and says no more of them than the model.
fn debug(model: &Model) -> Option<TokenStream> {
    model.derives("Debug").then(|| quote!(Debug,))
}

fn serde(model: &Model, names: &Names<'_>) -> TokenStream {
    let path = names.krate.private_path("serde");
    let carried: Vec<Meta> = nested(&model.item.attrs, "serde")
        .into_iter()
        .filter(|meta| CARRIED_SERDE.iter().any(|name| meta.path().is_ident(name)))
        .collect();
    quote!(#[serde(crate = #path #(, #carried)*)])
}
