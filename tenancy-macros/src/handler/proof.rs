//! Hidden checks that let the compiler judge a handler's types one by one.
//!
//! Without them a wrong argument is reported as a function that does not
//! implement axum's `Handler`, without saying which argument. The names of the
//! functions are part of the message: "required by a bound in `…`".

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, ReturnType, Type};

use crate::common::{Crate, Function};

use super::signature::stands_alone;

/// The checks of `function`, which is the gated one.
///
/// A handler without a route may be mounted on a router with any state, which
/// decides what is an extractor there; so only its answer is checked.
pub(super) fn of(krate: &Crate, function: &Function, routed: bool) -> TokenStream {
    let types: Vec<&Type> = function
        .signature
        .inputs
        .iter()
        .filter_map(|input| match input {
            FnArg::Typed(argument) => Some(argument.ty.as_ref()),
            FnArg::Receiver(_) => None,
        })
        .collect();
    let mut bounds = Vec::new();
    let mut calls = Vec::new();
    if routed && let Some((last, earlier)) = types.split_last() {
        let earlier: Vec<_> = earlier.iter().filter(|ty| stands_alone(ty)).collect();
        if !earlier.is_empty() {
            bounds.push(quote! {
                fn all_but_the_last_argument_must_leave_the_body<
                    T: #krate::__private::FromRequestParts<()>,
                >() {}
            });
        }
        for ty in earlier {
            calls.push(quote_spanned! {ty.span()=>
                all_but_the_last_argument_must_leave_the_body::<#ty>();
            });
        }
        if stands_alone(last) {
            bounds.push(quote! {
                fn an_argument_must_be_an_extractor<
                    Via,
                    T: #krate::__private::FromRequest<(), Via>,
                >() {}
            });
            calls.push(quote_spanned! {last.span()=>
                an_argument_must_be_an_extractor::<_, #last>();
            });
        }
    }
    if let ReturnType::Type(_, ty) = &function.signature.output
        && stands_alone(ty)
    {
        bounds.push(quote! {
            fn a_handler_must_return_a_response<T: #krate::__private::IntoResponse>() {}
        });
        calls.push(quote_spanned! {ty.span()=>
            a_handler_must_return_a_response::<#ty>();
        });
    }
    let future = types
        .iter()
        .all(|ty| stands_alone(ty))
        .then(|| future_check(&function.signature.ident, &types));
    quote! {
        const _: () = {
            #(#bounds)*
            #[allow(dead_code)]
            fn check() {
                #(#calls)*
            }
            #future
        };
    }
}

/// The future crosses threads; the compiler then names the value that cannot.
fn future_check(name: &Ident, types: &[&Type]) -> TokenStream {
    let arguments: Vec<_> = (0..types.len())
        .map(|position| format_ident!("argument_{position}"))
        .collect();
    let call = quote_spanned! {name.span()=>
        the_future_of_a_handler_must_be_send(#name(#(#arguments),*))
    };
    quote! {
        fn the_future_of_a_handler_must_be_send<T: ::core::marker::Send>(_: T) {}
        #[allow(dead_code)]
        fn check_future(#(#arguments: #types),*) {
            #call;
        }
    }
}
