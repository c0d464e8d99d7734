//! `#[derive(Plans)]`: an enum whose variants are the plans of an application.
//!
//! A derive and no attribute, since it leaves the enum as it was written, whatever
//! is wrong with it: `match` and completion go on working. Features are written
//! out as paths to the constants of `features!`, so that it is the compiler who
//! finds a misspelt one and says which was meant.

mod attr;
mod check;
mod expand;
mod ir;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput};

use crate::common::{Crate, Errors};

pub(crate) fn plans(item: TokenStream) -> TokenStream {
    plans_in(&Crate::find(), item)
}

fn plans_in(krate: &Crate, item: TokenStream) -> TokenStream {
    let item: DeriveInput = match syn::parse2(item) {
        Ok(item) => item,
        Err(error) => return error.to_compile_error(),
    };
    let Data::Enum(of) = &item.data else {
        let advice = "plans are the variants of an enum: write `enum Plan { Starter, Pro }`";
        return syn::Error::new_spanned(&item.ident, advice).to_compile_error();
    };
    let mut errors = Errors::new();
    let plans = check::check(&item, of, &mut errors);
    let expansion = match plans {
        Some(plans) if errors.is_empty() => expand::expand(krate, &plans),
        _ => expand::fallback(krate, &item.ident, of),
    };
    let errors = errors.into_tokens();
    quote!(#expansion #errors)
}
