//! What is known of the JSON of a model and of its input: `JsonSchema`, which in a
//! build that describes no routes derives nothing and knows its attributes.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, Ident, Path, Type, parse_quote};

use super::super::ir::{Column, Model};
use super::super::item::nested;
use super::super::rust_type;
use super::Names;

/// The derive's name.
pub(super) const JSON_SCHEMA: &str = "JsonSchema";

/// What makes JSON of a field in another way than its type does.
const WRITTEN_OTHERWISE: &[&str] = &["with", "serialize_with", "deserialize_with"];

/// The derive, where it is not left to the user.
pub(super) fn derive(model: &Model, names: &Names<'_>) -> Option<Path> {
    let private = &names.private;
    // A type that is wrong has been reported.
    (model.is_sound() && model.derives(JSON_SCHEMA)).then(|| parse_quote!(#private::JsonSchema))
}

/// Where the derive finds its crate; and what clients are told of the type, where its
/// documentation is for who writes Rust.
pub(super) fn on_struct(names: &Names<'_>, description: Option<&str>) -> Attribute {
    let schemars = names.krate.private_path("schemars");
    let description = description.into_iter();
    parse_quote!(#[schemars(crate = #schemars #(, description = #description)*)])
}

/// What is said of a field of `ident`, and what goes beside the struct for it.
pub(super) fn on_field(
    column: &Column,
    names: &Names<'_>,
    ident: &Ident,
    ty: &Type,
    attributes: &[Attribute],
) -> (Option<Attribute>, TokenStream) {
    if attributes.iter().any(|a| a.path().is_ident("schemars")) {
        return (None, TokenStream::new());
    }
    let serde = nested(attributes, "serde");
    let written = |name: &&str| serde.iter().any(|meta| meta.path().is_ident(name));
    if WRITTEN_OTHERWISE.iter().any(written) {
        let any = names.krate.private_path("any_json");
        return (
            Some(parse_quote!(#[schemars(schema_with = #any)])),
            TokenStream::new(),
        );
    }
    let bare = rust_type::inside_option(&column.ty).unwrap_or(&column.ty);
    if rust_type::sql_type(bare).is_ok() {
        return (None, TokenStream::new());
    }
    // A type of the application's own, which need not have a schema.
    let private = &names.private;
    let function = format_ident!("__schema_of_{}", column.name.rust);
    let path = format!("{ident}::{function}");
    (
        Some(parse_quote!(#[schemars(schema_with = #path)])),
        quote!(#private::describe_column! { #ident, #function, #ty }),
    )
}
