//! Hidden checks that let the compiler judge a handler's types one by one.
//!
//! Without them a wrong argument is reported as a function that does not
//! implement axum's `Handler`, without saying which argument. The names of the
//! functions are part of the message: "required by a bound in `…`".

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, ReturnType, Type};

use crate::common::{Crate, Function};

use super::signature::stands_alone;

/// The checks of a handler, given the function as written and as gated.
///
/// A handler without a route may be mounted on a router with any state, which
/// decides what is an extractor there; so only its answer is checked.
pub(super) fn of(krate: &Crate, written: &Function, gated: &Function, routed: bool) -> TokenStream {
    let mut checks = Checks::default();
    if routed {
        arguments(krate, &types(written), &mut checks);
    }
    answer(krate, &written.signature.output, &mut checks);
    future(gated, &mut checks);
    let Checks { bounds, functions } = checks;
    quote! {
        const _: () = {
            #(#bounds)*
            #(#[allow(dead_code)] #functions)*
        };
    }
}

/// Functions with a bound, and functions that call them to prove it. The latter
/// have names that no handler has, since the handler is called among them.
#[derive(Default)]
struct Checks {
    bounds: Vec<TokenStream>,
    functions: Vec<TokenStream>,
}

fn arguments(krate: &Crate, types: &[&Type], checks: &mut Checks) {
    let Some((last, earlier)) = types.split_last() else {
        return;
    };
    let earlier = earlier.iter().filter(|ty| stands_alone(ty));
    let mut calls: Vec<_> = earlier
        .map(|ty| {
            quote_spanned! {ty.span()=>
                all_but_the_last_argument_must_leave_the_body::<#ty>();
            }
        })
        .collect();
    if !calls.is_empty() {
        checks.bounds.push(quote! {
            fn all_but_the_last_argument_must_leave_the_body<
                T: #krate::__private::FromRequestParts<()>,
            >() {}
        });
    }
    if stands_alone(last) {
        checks.bounds.push(quote! {
            fn an_argument_must_be_an_extractor<Via, T: #krate::__private::FromRequest<(), Via>>() {}
        });
        calls.push(quote_spanned! {last.span()=>
            an_argument_must_be_an_extractor::<_, #last>();
        });
    }
    checks.functions.push(quote! {
        fn __arguments() {
            #(#calls)*
        }
    });
}

fn answer(krate: &Crate, output: &ReturnType, checks: &mut Checks) {
    let ReturnType::Type(_, ty) = output else {
        return;
    };
    if !stands_alone(ty) {
        return;
    }
    checks.bounds.push(quote! {
        fn a_handler_must_return_a_response<T: #krate::__private::IntoResponse>() {}
    });
    let call = quote_spanned!(ty.span()=> a_handler_must_return_a_response::<#ty>());
    checks.functions.push(quote! {
        fn __answer() {
            #call;
        }
    });
}

/// The future crosses threads; the compiler then names the value that cannot.
fn future(gated: &Function, checks: &mut Checks) {
    let types = types(gated);
    if !types.iter().all(|ty| stands_alone(ty)) {
        return;
    }
    let name = &gated.signature.ident;
    let arguments: Vec<_> = (0..types.len())
        .map(|position| format_ident!("argument_{position}"))
        .collect();
    let call = quote_spanned! {name.span()=>
        the_future_of_a_handler_must_be_send(#name(#(#arguments),*))
    };
    checks.bounds.push(quote! {
        fn the_future_of_a_handler_must_be_send<T: ::core::marker::Send>(_: T) {}
    });
    checks.functions.push(quote! {
        #[allow(clippy::too_many_arguments)]
        fn __future(#(#arguments: #types),*) {
            #call;
        }
    });
}

pub(super) fn types(function: &Function) -> Vec<&Type> {
    let inputs = function.signature.inputs.iter();
    inputs
        .filter_map(|input| match input {
            FnArg::Typed(argument) => Some(argument.ty.as_ref()),
            FnArg::Receiver(_) => None,
        })
        .collect()
}
