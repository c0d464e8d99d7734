//! The item under the attribute: which ones can be a model, and the parts of it
//! that are ours to take out.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Attribute, Fields, Item, ItemStruct, Meta, Path};

use super::attr::ColumnOptions;
use crate::common::Errors;

/// The struct without our attributes, and the options that stood in them.
pub(super) struct Source {
    pub(super) item: ItemStruct,
    /// One for each field.
    pub(super) columns: Vec<ColumnOptions>,
}

/// Takes the item apart, or gives it back when it can be no model.
pub(super) fn parse(tokens: TokenStream, errors: &mut Errors) -> Result<Source, TokenStream> {
    let Some(mut item) = errors.ok(syn::parse2::<Item>(tokens.clone())) else {
        return Err(tokens);
    };
    match &mut item {
        Item::Struct(model) => {
            if refuse_struct(model, errors) {
                strip(&mut model.fields, errors);
                return Err(model.to_token_stream());
            }
        }
        Item::Enum(other) => {
            other
                .variants
                .iter_mut()
                .for_each(|variant| strip(&mut variant.fields, errors));
            errors.at(
                &other.ident,
                "a model is a struct with a named field for each column; an enum can be the type of a column, with `#[column(sql_type = \"text\")]`",
            );
        }
        Item::Union(other) => {
            other.fields.named.iter_mut().for_each(|field| {
                take_ours(&mut field.attrs, errors);
            });
            errors.at(
                &other.ident,
                "a model is a struct with a named field for each column",
            );
        }
        other => errors.at(
            other,
            "a model is a struct with a named field for each column",
        ),
    }
    match item {
        Item::Struct(item) => Ok(source(item, errors)),
        other => Err(other.into_token_stream()),
    }
}

fn source(mut item: ItemStruct, errors: &mut Errors) -> Source {
    refuse_attributes(&mut item.attrs, DIESEL_ON_STRUCT, errors);
    let mut columns = Vec::new();
    for field in &mut item.fields {
        columns.push(take_ours(&mut field.attrs, errors));
        refuse_attributes(&mut field.attrs, DIESEL_ON_FIELD, errors);
        for attribute in field.attrs.iter().filter(|a| a.path().is_ident("cfg")) {
            errors.at(
                attribute,
                "a table has the same columns in every build; remove the `cfg`",
            );
        }
    }
    Source { item, columns }
}

/// Whether the struct can be no model; says why.
fn refuse_struct(item: &ItemStruct, errors: &mut Errors) -> bool {
    let generic = !item.generics.params.is_empty() || item.generics.where_clause.is_some();
    if generic {
        let message = "a model stands for one table and cannot be generic; write the types out";
        if item.generics.params.is_empty() {
            errors.at(&item.generics.where_clause, message);
        } else {
            errors.at(&item.generics, message);
        }
    }
    let named = match &item.fields {
        Fields::Named(fields) if fields.named.is_empty() => {
            errors.at(
                &item.ident,
                "a model needs a field for each column; start with `id: Uuid`",
            );
            false
        }
        Fields::Named(_) => true,
        Fields::Unnamed(fields) => {
            errors.at(
                fields,
                "columns have names; name the fields: `{ id: Uuid, … }`",
            );
            false
        }
        Fields::Unit => {
            errors.at(
                &item.ident,
                "a model needs a field for each column; write `{ id: Uuid, … }`",
            );
            false
        }
    };
    generic || !named
}

/// Options of Diesel's that would contradict ours, and ours.
const DIESEL_ON_STRUCT: &[(&str, &str)] = &[
    (
        "table_name",
        "name the table in the model's attribute: `table = \"…\"`",
    ),
    (
        "primary_key",
        "mark the fields of the key with `#[column(primary_key)]`",
    ),
    (
        "check_for_backend",
        "models are always checked for PostgreSQL; remove this",
    ),
];
const DIESEL_ON_FIELD: &[(&str, &str)] = &[(
    "column_name",
    "name the column with `#[column(name = \"…\")]`",
)];

/// Reports options that are refused, and takes their attributes out so that
/// Diesel's derives do not report them again.
fn refuse_attributes(
    attributes: &mut Vec<Attribute>,
    refused: &[(&str, &str)],
    errors: &mut Errors,
) {
    attributes.retain(|attribute| {
        let mut keep = true;
        for meta in nested(std::slice::from_ref(attribute), "diesel") {
            if let Some((_, message)) = refused.iter().find(|(name, _)| meta.path().is_ident(name))
            {
                errors.at(meta, message);
                keep = false;
            }
        }
        keep
    });
}

/// The entries of all `#[name(…)]`s that are plain attribute syntax.
pub(super) fn nested(attributes: &[Attribute], name: &str) -> Vec<Meta> {
    let list = syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated;
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident(name))
        .filter_map(|attribute| attribute.parse_args_with(list).ok())
        .flatten()
        .collect()
}

/// Everything that the `#[derive(…)]`s name.
pub(super) fn derives(attributes: &[Attribute]) -> Vec<Path> {
    let list = syn::punctuated::Punctuated::<Path, syn::Token![,]>::parse_terminated;
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("derive"))
        .filter_map(|attribute| attribute.parse_args_with(list).ok())
        .flatten()
        .collect()
}

fn is_ours(attribute: &Attribute) -> bool {
    attribute.path().is_ident("column")
}

/// Takes our attributes off fields that become no columns; what is wrong in them
/// is said all the same.
fn strip(fields: &mut Fields, errors: &mut Errors) {
    for field in fields {
        take_ours(&mut field.attrs, errors);
    }
}

fn take_ours(attributes: &mut Vec<Attribute>, errors: &mut Errors) -> ColumnOptions {
    let (ours, others): (Vec<_>, Vec<_>) = attributes.drain(..).partition(is_ours);
    *attributes = others;
    ColumnOptions::parse(&ours, errors)
}
