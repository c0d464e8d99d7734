//! From the struct and its options to the model: names are made, types found,
//! the key chosen. What is wrong with one part alone is said here; rules about
//! several parts are in [`super::check`].

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Ident, LitStr, Path};

use super::attr::ModelOptions;
use super::column::column;
use super::ir::{Audience, Column, ColumnType, Generated, Key, Model, OPTIONAL_DERIVES};
use super::item::Source;
use super::naming::{self, Name};
use super::options::Fields;
use crate::common::{Errors, did_you_mean};

pub(super) fn model(
    audience: Audience,
    options: ModelOptions,
    source: Source,
    errors: &mut Errors,
) -> Model {
    let Source { item, columns } = source;
    let table = table(&item.ident, options.table.as_ref(), errors);
    let written = item.fields.iter().zip(columns);
    let mut columns: Vec<Column> = written
        .filter_map(|(field, options)| column(field, options, &table, errors))
        .collect();
    name_apart(&mut columns, errors);
    let primary_key = primary_key(&item.ident, &columns, errors);
    generate_key(&mut columns, &primary_key);
    name_itself(&mut columns, &item.ident);
    join_once(&mut columns, &item.ident);

    let marked = |mark: fn(&Column) -> Option<&Ident>, suffix| -> Vec<Key> {
        let marked = columns.iter().enumerate();
        marked
            .filter_map(|(at, column)| mark(column).map(|mark| (at, mark.span())))
            .map(|(at, span)| Key {
                marked: true,
                ..key(vec![at], span, suffix, &table, &columns)
            })
            .collect()
    };
    let mut uniques = marked(|column| column.marks.unique.as_ref(), "key");
    let mut indexes = marked(|column| column.marks.index.as_ref(), "idx");
    for (listed, keys, suffix) in [
        (options.uniques, &mut uniques, "key"),
        (options.indexes, &mut indexes, "idx"),
    ] {
        for fields in listed {
            let span = fields.option.span();
            if let Some(found) = find_fields(&fields, &columns, errors) {
                keys.push(key(found, span, suffix, &table, &columns));
            }
        }
    }

    let quota = options.quota.as_ref();
    let quota =
        quota.and_then(|literal| quota_of(audience, literal, options.migrated.as_ref(), errors));

    Model {
        audience,
        item,
        table,
        columns,
        primary_key,
        uniques,
        indexes,
        migrated: options.migrated,
        quota,
        no_derive: no_derive(&options.no_derive, errors),
    }
}

/// The constant that `quota = "…"` names, on a model whose rows can be counted.
fn quota_of(
    audience: Audience,
    literal: &LitStr,
    migrated: Option<&Ident>,
    errors: &mut Errors,
) -> Option<Ident> {
    if audience == Audience::Shared {
        errors.at(
            literal,
            "a quota is a tenant's, and the rows of a shared model are nobody's: remove `quota`",
        );
        return None;
    }
    if migrated.is_some() {
        errors.at(
            literal,
            "rows are counted in tables that the framework makes, and migrations make this one: \
             remove `quota` or `migrated`",
        );
        return None;
    }
    let name = literal.parse::<Ident>();
    if name.is_err() {
        errors.at(
            literal,
            "a quota is named like a constant, with letters, digits and `_`, as \
             `tenancy::quotas!` declares it",
        );
    }
    name.ok()
}

/// The names in `no_derive(…)`, each of which must be one that can be left out.
fn no_derive(listed: &[Fields], errors: &mut Errors) -> Vec<String> {
    let names = listed.iter().flat_map(|traits| &traits.fields);
    names
        .filter_map(|name| {
            let text = name.to_string();
            if OPTIONAL_DERIVES.contains(&text.as_str()) {
                return Some(text);
            }
            let nearest = did_you_mean(&text, OPTIONAL_DERIVES.iter().copied());
            errors.at(
                name,
                format!(
                    "`{name}` is nothing that can be left out{nearest} (expected `{}`)",
                    OPTIONAL_DERIVES.join("`, `")
                ),
            );
            None
        })
        .collect()
}

fn table(model: &Ident, given: Option<&LitStr>, errors: &mut Errors) -> Name {
    let of_struct = naming::table_of(&model.unraw().to_string());
    let sql = given.map_or_else(|| of_struct.clone(), LitStr::value);
    if let Some(message) = naming::refuse_table(&sql) {
        match given {
            Some(given) => errors.at(given, message),
            None => errors.at(model, message),
        }
    }
    // An error has been reported if it is the other one.
    let sql = if naming::rust_can_have(&sql) {
        sql
    } else {
        of_struct
    };
    Name::new(sql, given.map_or_else(|| model.span(), LitStr::span), None)
}

/// A name that two fields have is reported, and the later one gets another.
fn name_apart(columns: &mut [Column], errors: &mut Errors) {
    for at in 1..columns.len() {
        let (earlier, rest) = columns.split_at_mut(at);
        let column = &mut rest[0];
        let Some(owner) = earlier
            .iter()
            .find(|other| other.name.rust == column.name.rust)
        else {
            continue;
        };
        let message = format!(
            "the field `{}` has the column `{}` already; choose another with `name = \"…\"`",
            owner.field, column.name.sql
        );
        errors.at(&column.field, message);
        column.name = Name::new(
            format!("{}_{at}", column.name.sql),
            column.field.span(),
            None,
        );
    }
}

fn primary_key(model: &Ident, columns: &[Column], errors: &mut Errors) -> Vec<usize> {
    let marked: Vec<usize> = positions(columns, |column| column.marks.primary_key.is_some());
    if !marked.is_empty() {
        return marked;
    }
    let id = positions(columns, |column| column.field == "id");
    if id.is_empty() {
        errors.at(
            model,
            "a model needs a primary key: name a field `id`, or mark the fields of the key with `#[column(primary_key)]`",
        );
    }
    id
}

fn positions(columns: &[Column], of: impl Fn(&Column) -> bool) -> Vec<usize> {
    let numbered = columns.iter().enumerate();
    numbered
        .filter(|(_, column)| of(column))
        .map(|(at, _)| at)
        .collect()
}

/// A sole key is made by the database; one of several parts, or one that points
/// at another row, has a meaning and must be given.
fn generate_key(columns: &mut [Column], primary_key: &[usize]) {
    let [sole] = primary_key else { return };
    let column = &mut columns[*sole];
    if column.reference.is_some() || column.default.is_some() {
        return;
    }
    column.generated = match &column.sql_type {
        ColumnType::Known(sql_type) if sql_type.is_uuid() => Some(Generated::Uuid),
        ColumnType::Known(sql_type) if sql_type.is_integer() => Some(Generated::Identity),
        ColumnType::Known(_) => None,
        // Most likely an unsigned integer that will be a signed one.
        ColumnType::Unknown => Some(Generated::Identity),
    };
}

/// `references = Self` stands for the model also outside of its own `impl`s.
fn name_itself(columns: &mut [Column], model: &Ident) {
    for reference in columns.iter_mut().filter_map(|c| c.reference.as_mut()) {
        if reference.target.is_ident("Self") {
            let mut name = model.clone();
            name.set_span(reference.target.span());
            reference.target = name.into();
        }
    }
}

/// Diesel knows one way to join two tables: that of the first reference. A table
/// that refers to itself needs an alias and an `on` anyway.
fn join_once(columns: &mut [Column], model: &Ident) {
    let mut joined: Vec<Path> = vec![model.clone().into()];
    for reference in columns.iter_mut().filter_map(|c| c.reference.as_mut()) {
        if joined.contains(&reference.target) {
            reference.joins = false;
        } else if reference.joins {
            joined.push(reference.target.clone());
        }
    }
}

fn find_fields(fields: &Fields, columns: &[Column], errors: &mut Errors) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    let mut complete = true;
    for field in &fields.fields {
        match columns.iter().position(|column| column.field == *field) {
            Some(at) if found.contains(&at) => {
                errors.at(field, format!("`{field}` is named twice; keep one"));
                complete = false;
            }
            Some(at) => found.push(at),
            None => {
                let known: Vec<String> = columns.iter().map(|c| c.field.to_string()).collect();
                let nearest = did_you_mean(&field.to_string(), known.iter().map(String::as_str));
                errors.at(field, format!("the struct has no field `{field}`{nearest}"));
                complete = false;
            }
        }
    }
    complete.then_some(found)
}

fn key(at: Vec<usize>, span: Span, suffix: &str, table: &Name, columns: &[Column]) -> Key {
    let names: Vec<&str> = at.iter().map(|at| columns[*at].name.sql.as_str()).collect();
    Key {
        name: naming::key(&table.sql, &names, suffix),
        columns: at,
        span,
        marked: false,
    }
}
