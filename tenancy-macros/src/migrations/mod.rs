//! `migrations!("migrations")`: a folder in Diesel's layout as data.
//!
//! The text of each migration is included by the compiler, which so builds anew
//! when one changes. Everything wrong with the folder is said at the literal.

mod check;
mod expand;
mod ir;
mod read;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use syn::LitStr;

use crate::common::{Crate, Errors};

pub(crate) fn migrations(input: TokenStream) -> TokenStream {
    // Set by Cargo for every crate that it compiles.
    let root = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    migrations_in(&Crate::find(), &root.unwrap_or_default(), input)
}

fn migrations_in(krate: &Crate, root: &Path, input: TokenStream) -> TokenStream {
    let literal: LitStr = match syn::parse2(input) {
        Ok(literal) => literal,
        Err(error) => {
            let advice = "name the folder: write `migrations!(\"migrations\")`";
            return syn::Error::new(error.span(), advice).to_compile_error();
        }
    };
    let mut errors = Errors::new();
    let found = read::read(root, &literal, &mut errors);
    let migrations = check::check(found, &literal, &mut errors);
    if errors.is_empty() {
        errors.into_tokens();
        return expand::expand(krate, &literal, &migrations);
    }
    // An expression all the same, so that nothing else is wrong where it stands.
    let nothing = expand::expand(krate, &literal, &[]);
    let errors = errors.into_tokens();
    quote::quote!({ #errors #nothing })
}
