//! The macros of `tenancy`. Depend on `tenancy`, which re-exports and
//! documents them with examples that run.
//!
//! Each macro has a folder of its own with the same stages: `attr` parses what
//! the user wrote, `ir` is the validated model, `check` holds the rules, and
//! `expand` writes code without deciding anything. Mistakes are collected and
//! reported together, and the user's item is always given back.

// `tenancy` documents the macros where it re-exports them, since their examples
// need it to run.
#![allow(missing_docs)]

mod app;
mod common;
mod handler;
mod migrations;
mod model;
mod plans;

use proc_macro::TokenStream;

#[proc_macro_attribute]
pub fn tenant_model(attribute: TokenStream, item: TokenStream) -> TokenStream {
    model::tenant_model(attribute.into(), item.into()).into()
}

#[proc_macro_attribute]
pub fn shared_model(attribute: TokenStream, item: TokenStream) -> TokenStream {
    model::shared_model(attribute.into(), item.into()).into()
}

#[proc_macro_attribute]
pub fn tenant_handler(attribute: TokenStream, item: TokenStream) -> TokenStream {
    handler::tenant_handler(attribute.into(), item.into()).into()
}

#[proc_macro_derive(Plans, attributes(plan))]
pub fn plans(item: TokenStream) -> TokenStream {
    plans::plans(item.into()).into()
}

/// `JsonSchema` in a build that describes no routes: it knows the attributes.
#[proc_macro_derive(NoSchema, attributes(schemars))]
pub fn no_schema(_: TokenStream) -> TokenStream {
    TokenStream::new()
}

#[proc_macro]
pub fn migrations(input: TokenStream) -> TokenStream {
    migrations::migrations(input.into()).into()
}

#[proc_macro_attribute]
pub fn app(attribute: TokenStream, item: TokenStream) -> TokenStream {
    app::app(attribute.into(), item.into()).into()
}
