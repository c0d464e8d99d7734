//! `#[tenant_handler]`: an axum handler with its gates in front.
//!
//! The function stays an ordinary handler. Beside it comes a struct of the same
//! name, in the type namespace and so imported together with it, that carries
//! what the attribute says as trait constants; `routes(…)` reads them there.

mod attr;
mod audit;
mod check;
mod expand;
mod ir;
mod path;
mod proof;
mod signature;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::quote;

use crate::common::{Crate, Errors, Function};

pub(crate) fn tenant_handler(attribute: TokenStream, item: TokenStream) -> TokenStream {
    tenant_handler_in(&Crate::find(), attribute, item)
}

fn tenant_handler_in(krate: &Crate, attribute: TokenStream, item: TokenStream) -> TokenStream {
    let function = match Function::read(item, "`#[tenant_handler]` goes on an `async fn`") {
        Ok(function) => function,
        Err(given_back) => return given_back,
    };
    let mut errors = Errors::new();
    let written = attr::Written::parse(attribute, &mut errors);
    let handler = check::check(&written, &function, &mut errors);
    let expansion = match handler {
        Some(handler) if errors.is_empty() => expand::expand(krate, &handler, &function),
        _ => expand::fallback(krate, &written, &function),
    };
    let errors = errors.into_tokens();
    quote!(#expansion #errors)
}
