//! Writes the code of a model. Everything here could be written by hand; it
//! fills in descriptions and calls Diesel and the runtime.

mod definition;
mod input;
mod item;
mod keys;
mod relations;
mod rows;
mod schema;
mod table;
mod unsound;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Ident;

use super::ir::{Audience, Model};
use crate::common::Crate;

pub(super) fn expand(model: &Model, krate: &Crate) -> TokenStream {
    let names = Names {
        krate,
        private: quote!(#krate::__private),
        model: &model.item.ident,
        new: format_ident!("New{}", model.item.ident),
        changes: format_ident!("{}Changes", model.item.ident),
        table: &model.table.rust,
    };
    let item = item::expand(model, &names);
    let table = table::expand(model);
    let definition = definition::expand(model, &names);
    let relations = relations::expand(model, &names);
    let query = rows::query(model, &names);
    let rows = match model.audience {
        Audience::Tenant => {
            let keys = keys::expand(model, &names);
            let write = rows::write(model, &names);
            let new = input::new(model, &names);
            let changes = input::changes(model, &names);
            quote!(#keys #write #new #changes)
        }
        // The application may only read the table.
        Audience::Shared => TokenStream::new(),
    };
    let unsound = if model.is_sound() {
        TokenStream::new()
    } else {
        unsound::expand(model, &names)
    };
    quote!(#item #table #definition #relations #query #rows #unsound)
}

/// The names that the parts of the expansion share.
struct Names<'a> {
    krate: &'a Crate,
    private: TokenStream,
    model: &'a Ident,
    new: Ident,
    changes: Ident,
    /// Diesel's module.
    table: &'a Ident,
}
