//! Writes the migrations out as data, as one would write them by hand.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::LitStr;

use super::ir::Migration;
use crate::common::Crate;

pub(super) fn expand(krate: &Crate, literal: &LitStr, migrations: &[Migration]) -> TokenStream {
    let folder = literal.value();
    let span = literal.span();
    let migrations = migrations.iter().map(|migration| {
        let Migration { version, name, .. } = migration;
        let file = format!("/{folder}/{}/up.sql", migration.folder);
        quote_spanned! {span=>
            #krate::provision::Migration {
                version: #version,
                name: #name,
                sql: ::core::include_str!(::core::concat!(
                    ::core::env!("CARGO_MANIFEST_DIR"),
                    #file,
                )),
            }
        }
    });
    quote_spanned! {span=>
        {
            const MIGRATIONS: &[#krate::provision::Migration] = &[#(#migrations),*];
            MIGRATIONS
        }
    }
}
