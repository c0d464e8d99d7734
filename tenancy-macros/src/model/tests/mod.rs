//! The macros as functions from tokens to tokens.

mod errors;
mod expansion;

use proc_macro2::TokenStream;

use super::ir::Audience;
use super::model;
use crate::common::Crate;

fn expand(audience: Audience, attribute: &str, item: &str) -> TokenStream {
    let tokens = |text: &str| text.parse().expect("a test gives tokens");
    model(
        audience,
        tokens(attribute),
        tokens(item),
        &Crate::named("tenancy"),
    )
}
