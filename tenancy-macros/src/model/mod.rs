//! `#[tenant_model]` and `#[shared_model]`: a struct becomes a table.
//!
//! The stages, each in files of its own: [`item`] takes the struct apart,
//! [`attr`] reads the options, [`ir`] is the model that comes of both, [`check`]
//! holds the rules that look at several parts of it, and [`expand`] writes code
//! from it without deciding anything.
//!
//! A mistake never stops the stages after it. The model is built with a
//! stand-in where something is wrong, so that all mistakes are reported at once
//! and the rest of the user's crate still finds the names it uses.

mod attr;
mod build;
mod check;
mod column;
mod expand;
mod ir;
mod item;
mod naming;
mod options;
mod rust_type;
mod sql_type;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

use crate::common::{Crate, Errors};
use ir::Audience;

pub(crate) fn tenant_model(attribute: TokenStream, item: TokenStream) -> TokenStream {
    model(Audience::Tenant, attribute, item, &Crate::find())
}

pub(crate) fn shared_model(attribute: TokenStream, item: TokenStream) -> TokenStream {
    model(Audience::Shared, attribute, item, &Crate::find())
}

fn model(
    audience: Audience,
    attribute: TokenStream,
    item: TokenStream,
    krate: &Crate,
) -> TokenStream {
    let mut errors = Errors::new();
    let source = item::parse(item, &mut errors);
    let options = attr::ModelOptions::parse(audience, attribute, &mut errors);
    let mut code = match source {
        Ok(source) => {
            let model = build::model(audience, options, source, &mut errors);
            check::check(&model, &mut errors);
            expand::expand(&model, krate)
        }
        Err(given_back) => given_back,
    };
    code.extend(errors.into_tokens());
    code
}
