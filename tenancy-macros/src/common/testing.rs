//! What the tests of the macros share: an expansion as a reader would format
//! it, and the mistakes in it.

use proc_macro2::{TokenStream, TokenTree};

/// The expansion, formatted.
pub(crate) fn pretty(expansion: TokenStream) -> String {
    prettyplease::unparse(&syn::parse2(expansion).expect("an expansion is Rust"))
}

/// The messages of the `compile_error!`s in an expansion, in order.
pub(crate) fn mistakes(expansion: TokenStream) -> Vec<String> {
    let file: syn::File = syn::parse2(expansion).expect("an expansion is Rust");
    file.items
        .into_iter()
        .filter_map(|item| match item {
            syn::Item::Macro(item) if item.mac.path.segments.last()?.ident == "compile_error" => {
                let message: syn::LitStr = item.mac.parse_body().expect("a message");
                Some(message.value())
            }
            _ => None,
        })
        .collect()
}

/// Whether `name` is anywhere in the expansion.
pub(crate) fn mentions(expansion: TokenStream, name: &str) -> bool {
    expansion.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Group(group) => mentions(group.stream(), name),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// Compares an expansion with the file of the test's name.
macro_rules! assert_expansion {
    ($expansion:expr $(,)?) => {
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!($crate::common::testing::pretty($expansion));
        })
    };
}
pub(crate) use assert_expansion;
