//! The rules that look at several parts of a model, one function each.

use syn::Ident;

use super::ir::{Audience, Column, Key, Model};
use super::{item, naming};
use crate::common::Errors;

/// The column that tells tenants apart where they share tables.
const TENANT_ID: &str = "tenant_id";

pub(super) fn check(model: &Model, errors: &mut Errors) {
    no_tenant_id(model, errors);
    not_identifiable(model, errors);
    key_columns(model, errors);
    unique_and_index(model, errors);
    keys_differ(model, errors);
    key_names(model, errors);
    migrated(model, errors);
}

/// The macro adds no such field and the table has none: a tenant that cannot be
/// named cannot be forged.
fn no_tenant_id(model: &Model, errors: &mut Errors) {
    let message = match model.audience {
        Audience::Tenant => {
            "the framework adds `tenant_id` where it is needed; remove the field, nobody can forge what nobody can name"
        }
        Audience::Shared => {
            "the rows of a shared model belong to no tenant; remove the field, or make it a `#[tenant_model]`"
        }
    };
    for column in &model.columns {
        if column.name.sql == TENANT_ID || column.field == TENANT_ID {
            errors.at(&column.field, message);
        }
    }
}

/// Diesel takes an identifiable row for the key that it has, on any connection.
fn not_identifiable(model: &Model, errors: &mut Errors) {
    if model.audience == Audience::Shared {
        return;
    }
    for derive in item::derives(&model.item.attrs) {
        if derive
            .segments
            .last()
            .is_some_and(|last| last.ident == "Identifiable")
        {
            errors.at(
                derive,
                format!(
                    "with `Identifiable`, `diesel::update(&row)` would change another tenant's row of the same key; remove it, and read a row that is to be changed with `{}::find`",
                    model.item.ident
                ),
            );
        }
    }
}

fn key_columns(model: &Model, errors: &mut Errors) {
    let sole = model.primary_key.len() == 1;
    for column in model.primary_key.iter().map(|at| &model.columns[*at]) {
        let sql_type = column.sql_type_or_stand_in();
        if column.nullable {
            errors.at(
                &column.ty,
                "a primary key is never null; remove the `Option`",
            );
        }
        if column.is_known() && sql_type.is_floating() {
            errors.at(
                &column.ty,
                "a floating-point number cannot be a key, as equal ones may differ; use an integer or `Uuid`",
            );
        }
        let numbered = sole && column.reference.is_none() && sql_type.is_integer();
        if let Some(default) = column.marks.default.as_ref().filter(|_| numbered) {
            errors.at(
                default,
                "PostgreSQL numbers an integer primary key; remove the default",
            );
        }
        for mark in sole.then(|| marks(column)).into_iter().flatten() {
            errors.at(
                mark,
                format!("a primary key is unique and has an index already; remove `{mark}`"),
            );
        }
    }
}

/// Migrations run for tenants, and make what belongs to a table.
fn migrated(model: &Model, errors: &mut Errors) {
    let Some(option) = &model.migrated else {
        return;
    };
    if model.audience == Audience::Shared {
        errors.at(
            option,
            "migrations make tenants' tables, once for each place; the table of a shared model is made by the framework: remove `migrated`",
        );
        return;
    }
    for index in &model.indexes {
        errors.push(syn::Error::new(
            index.span,
            "the migrations of a `migrated` model make its indexes; remove this one here",
        ));
    }
}

fn marks(column: &Column) -> Vec<&Ident> {
    column
        .marks
        .unique
        .iter()
        .chain(&column.marks.index)
        .collect()
}

fn unique_and_index(model: &Model, errors: &mut Errors) {
    for column in &model.columns {
        if let (Some(_), Some(index)) = (&column.marks.unique, &column.marks.index) {
            errors.at(
                index,
                "a unique column has an index already; remove `index`",
            );
        }
    }
}

/// No two keys over the same columns, the primary key among them. The order
/// matters for an index alone.
fn keys_differ(model: &Model, errors: &mut Errors) {
    let set = |columns: &[usize]| {
        let mut columns = columns.to_vec();
        columns.sort_unstable();
        columns
    };
    for (at, unique) in judged(model, &model.uniques) {
        let same = |other: &[usize]| set(other) == set(&unique.columns);
        if same(&model.primary_key) {
            report(
                unique,
                "this is the primary key, which is unique already; remove it",
                errors,
            );
        }
        if model.uniques[..at]
            .iter()
            .any(|earlier| same(&earlier.columns))
        {
            report(
                unique,
                "these fields are unique together already; keep one",
                errors,
            );
        }
    }
    for (at, index) in judged(model, &model.indexes) {
        let has = |keys: &[Key]| keys.iter().any(|key| key.columns == index.columns);
        if index.columns == model.primary_key {
            report(
                index,
                "a primary key has an index already; remove this one",
                errors,
            );
        } else if has(&model.uniques) {
            report(
                index,
                "fields that are unique have an index already; remove this one",
                errors,
            );
        }
        if has(&model.indexes[..at]) {
            report(
                index,
                "these fields have this index already; keep one",
                errors,
            );
        }
    }
}

/// The keys without those whose flag was refused beside another on its field.
fn judged<'a>(model: &'a Model, keys: &'a [Key]) -> impl Iterator<Item = (usize, &'a Key)> {
    keys.iter().enumerate().filter(|(_, key)| {
        let [at] = key.columns[..] else { return true };
        let beside_another = marks(&model.columns[at]).len() > 1 || model.primary_key == [at];
        !(key.marked && beside_another)
    })
}

fn key_names(model: &Model, errors: &mut Errors) {
    if let Some(message) = naming::refuse_key(&model.primary_key_name()) {
        errors.at(&model.table.rust, message);
    }
    for key in &model.uniques {
        if model.is_named_like_primary(key) {
            report(
                key,
                "the constant of this key would be `PRIMARY_KEY`, which is that of the primary key; rename the column with `name = \"…\"`",
                errors,
            );
        }
    }
    for key in model.uniques.iter().chain(&model.indexes) {
        if let Some(message) = naming::refuse_key(&key.name) {
            report(key, &message, errors);
        }
        // The same columns under one name are the business of `keys_differ`.
        let other_columns = |other: &&Key| other.name == key.name && other.columns != key.columns;
        let earlier = model
            .uniques
            .iter()
            .chain(&model.indexes)
            .take_while(|k| !std::ptr::eq(*k, key));
        if earlier.filter(other_columns).count() > 0 {
            let message = format!(
                "another one is named `{}` already; rename a column with `name = \"…\"`",
                key.name
            );
            report(key, &message, errors);
        }
    }
    for reference in model
        .columns
        .iter()
        .filter_map(|column| column.reference.as_ref())
    {
        if let Some(message) = naming::refuse_key(&reference.name) {
            errors.at(&reference.target, message);
        }
    }
}

fn report(key: &Key, message: &str, errors: &mut Errors) {
    errors.push(syn::Error::new(key.span, message));
}
