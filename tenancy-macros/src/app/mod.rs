//! `#[tenancy::app]`: `async fn main` as the application and its own
//! management tool.
//!
//! What the attribute says is checked here as far as it can be told without
//! types, and becomes one chain of calls on the runtime's builder.

mod attr;
mod check;
mod expand;
mod ir;
mod jwt;
mod lists;
mod main_function;
mod resolvers;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::quote;

use crate::common::{Crate, Errors, Function};

pub(crate) fn app(attribute: TokenStream, item: TokenStream) -> TokenStream {
    app_in(&Crate::find(), attribute, item)
}

fn app_in(krate: &Crate, attribute: TokenStream, item: TokenStream) -> TokenStream {
    let function = match Function::read(item, "`#[tenancy::app]` goes on `async fn main`") {
        Ok(function) => function,
        Err(given_back) => return given_back,
    };
    let mut errors = Errors::new();
    let written = attr::Written::parse(attribute, &mut errors);
    let app = check::check(&written, &mut errors);
    let main = main_function::check(&function, &mut errors);
    resolvers::who_decides(&written, &main, &mut errors);
    let expansion = match app {
        Some(app) if errors.is_empty() => expand::expand(krate, &app, &main, &function),
        _ => expand::fallback(&function),
    };
    let errors = errors.into_tokens();
    quote!(#expansion #errors)
}
