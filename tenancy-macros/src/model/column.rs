//! From a field and its options to a column.

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Attribute, Field, Ident, LitStr, parse_quote};

use super::attr::ColumnOptions;
use super::ir::{Column, ColumnType, Marks, Reference};
use super::item::nested;
use super::naming::{self, Name};
use super::rust_type::{self, inside_option};
use super::sql_type::SqlType;
use crate::common::Errors;

/// What of serde's the structs for inserting and updating have in common with
/// the model: what fields are called. How a value is written stays with the
/// model, as the types differ.
const CARRIED_SERDE: &[&str] = &["rename", "alias"];

/// What of serde's keeps a client from giving a field, there as well.
const SKIPPED_SERDE: &[&str] = &["skip", "skip_deserializing"];

pub(super) fn column(
    field: &Field,
    options: ColumnOptions,
    table: &Name,
    errors: &mut Errors,
) -> Option<Column> {
    let ident = field.ident.clone()?;
    let ColumnOptions {
        primary_key,
        unique,
        index,
        default,
        references,
        no_join,
        sql_type,
        name,
    } = options;

    if let (Some(no_join), None) = (&no_join, &references) {
        errors.at(
            no_join,
            "`no_join` belongs to `references = …`, and there is none",
        );
    }
    if let Some(empty) = default
        .as_ref()
        .filter(|text| text.value().trim().is_empty())
    {
        errors.at(
            empty,
            "a default is an SQL expression: write `default = \"''\"` for an empty text, or remove it",
        );
    }

    let name = column_name(&ident, name.as_ref(), table, errors);
    let inside = inside_option(&field.ty);
    let found = match &sql_type {
        Some(text) => {
            SqlType::parse(&text.value()).map_err(|message| (text.to_token_stream(), message))
        }
        None => rust_type::sql_type(inside.unwrap_or(&field.ty))
            .map_err(|message| (field.ty.to_token_stream(), message)),
    };
    let sql_type = match found {
        Ok(found) => ColumnType::Known(found),
        Err((place, message)) => {
            errors.at(place, message);
            ColumnType::Unknown
        }
    };

    Some(Column {
        visibility: field.vis.clone(),
        ty: field.ty.clone(),
        carried: carried(field),
        not_of_clients: nested(&field.attrs, "serde")
            .iter()
            .any(|meta| SKIPPED_SERDE.iter().any(|name| meta.path().is_ident(name))),
        sql_type,
        nullable: inside.is_some(),
        default: default.as_ref().map(LitStr::value),
        generated: None,
        reference: references.map(|target| Reference {
            name: naming::key(&table.sql, &[&name.sql], "fkey"),
            target,
            joins: no_join.is_none(),
        }),
        marks: Marks {
            unique,
            index,
            primary_key,
            default,
        },
        field: ident,
        name,
    })
}

fn column_name(field: &Ident, given: Option<&LitStr>, table: &Name, errors: &mut Errors) -> Name {
    let of_field = field.unraw().to_string();
    let sql = given.map_or_else(|| of_field.clone(), LitStr::value);
    if let Some(message) = naming::refuse_column(&sql) {
        match given {
            Some(given) => errors.at(given, message),
            None => errors.at(field, message),
        }
    }
    // An error has been reported if it is the other one.
    let sql = if naming::rust_can_have(&sql) {
        sql
    } else {
        of_field
    };
    Name::new(sql, field.span(), Some(&table.rust))
}

/// Docs, the names under which serde knows the field, and what is said of its schema.
fn carried(field: &Field) -> Vec<Attribute> {
    let docs = field
        .attrs
        .iter()
        .filter(|a| a.path().is_ident("doc") || a.path().is_ident("schemars"))
        .cloned();
    let renames = nested(&field.attrs, "serde")
        .into_iter()
        .filter(|meta| CARRIED_SERDE.iter().any(|name| meta.path().is_ident(name)))
        .map(|meta| parse_quote!(#[serde(#meta)]));
    docs.chain(renames).collect()
}
