//! The macros as functions from tokens to tokens.

mod errors;
mod expansion;

use proc_macro2::{TokenStream, TokenTree};

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

/// The messages of the `compile_error!`s in an expansion.
fn messages(expansion: TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = expansion.into_iter().collect();
    tokens
        .windows(3)
        .filter_map(|window| match window {
            [
                TokenTree::Ident(name),
                TokenTree::Punct(_),
                TokenTree::Group(text),
            ] if name == "compile_error" => {
                let text = syn::parse2::<syn::LitStr>(text.stream());
                Some(text.expect("the text of an error").value())
            }
            _ => None,
        })
        .collect()
}
