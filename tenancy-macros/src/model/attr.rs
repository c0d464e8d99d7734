//! The options of `#[tenant_model(…)]`, `#[shared_model(…)]` and `#[column(…)]`,
//! as written: nothing is judged here but their form.

use proc_macro2::TokenStream;
use syn::{Attribute, Ident, LitStr, Meta, Path};

use super::ir::Audience;
use super::options::{Choice, Fields, Form, Reader};
use crate::common::Errors;

/// What stands in the parentheses of the model's attribute.
#[derive(Default)]
pub(super) struct ModelOptions {
    pub(super) table: Option<LitStr>,
    pub(super) uniques: Vec<Fields>,
    pub(super) indexes: Vec<Fields>,
    pub(super) migrated: Option<Ident>,
    pub(super) quota: Option<LitStr>,
    pub(super) no_derive: Vec<Fields>,
}

/// What stands in the `#[column(…)]`s of one field.
#[derive(Default)]
pub(super) struct ColumnOptions {
    pub(super) primary_key: Option<Ident>,
    pub(super) unique: Option<Ident>,
    pub(super) index: Option<Ident>,
    pub(super) default: Option<LitStr>,
    pub(super) references: Option<Path>,
    pub(super) no_join: Option<Ident>,
    pub(super) sql_type: Option<LitStr>,
    pub(super) name: Option<LitStr>,
}

const MODEL: &[Choice<ModelOptions>] = &[
    Choice {
        name: "table",
        example: "table = \"people\"",
        form: Form::Text(|options, value| options.table = Some(value)),
    },
    Choice {
        name: "unique",
        example: "unique(first_field, second_field)",
        form: Form::Fields(|options, fields| options.uniques.push(fields)),
    },
    Choice {
        name: "index",
        example: "index(first_field, second_field)",
        form: Form::Fields(|options, fields| options.indexes.push(fields)),
    },
    Choice {
        name: "migrated",
        example: "migrated",
        form: Form::Flag(|options, name| options.migrated = Some(name)),
    },
    Choice {
        name: "quota",
        example: "quota = \"users\"",
        form: Form::Name(|options, value| options.quota = Some(value)),
    },
    Choice {
        name: "no_derive",
        example: "no_derive(Debug, Serialize)",
        form: Form::Fields(|options, traits| options.no_derive.push(traits)),
    },
];

const COLUMN: &[Choice<ColumnOptions>] = &[
    Choice {
        name: "primary_key",
        example: "primary_key",
        form: Form::Flag(|options, name| options.primary_key = Some(name)),
    },
    Choice {
        name: "unique",
        example: "unique",
        form: Form::Flag(|options, name| options.unique = Some(name)),
    },
    Choice {
        name: "index",
        example: "index",
        form: Form::Flag(|options, name| options.index = Some(name)),
    },
    Choice {
        name: "default",
        example: "default = \"now()\"",
        form: Form::Text(|options, value| options.default = Some(value)),
    },
    Choice {
        name: "references",
        example: "references = User",
        form: Form::Path(|options, path| options.references = Some(path)),
    },
    Choice {
        name: "no_join",
        example: "no_join",
        form: Form::Flag(|options, name| options.no_join = Some(name)),
    },
    Choice {
        name: "sql_type",
        example: "sql_type = \"varchar(200)\"",
        form: Form::Text(|options, value| options.sql_type = Some(value)),
    },
    Choice {
        name: "name",
        example: "name = \"column_name\"",
        form: Form::Text(|options, value| options.name = Some(value)),
    },
];

impl ModelOptions {
    pub(super) fn parse(audience: Audience, tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        Reader::new(audience.attribute(), MODEL).read(tokens, &mut options, errors);
        options
    }
}

impl ColumnOptions {
    /// Reads all `#[column(…)]`s of a field together.
    pub(super) fn parse(attributes: &[Attribute], errors: &mut Errors) -> Self {
        let mut options = Self::default();
        let mut reader = Reader::new("column", COLUMN);
        for attribute in attributes {
            match &attribute.meta {
                Meta::List(list) if !list.tokens.is_empty() => {
                    reader.read(list.tokens.clone(), &mut options, errors);
                }
                _ => errors.at(
                    attribute,
                    "this says nothing about the column; write `#[column(…)]` with options, or remove it",
                ),
            }
        }
        options
    }
}
