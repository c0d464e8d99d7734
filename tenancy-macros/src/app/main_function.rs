//! The rules about the function the attribute is on.

use syn::spanned::Spanned;
use syn::{Attribute, FnArg, ReturnType, Type};

use crate::common::{Errors, Function};

use super::ir::Main;

/// What `main` takes; only good without errors.
pub(super) fn check(function: &Function, errors: &mut Errors) -> Main {
    let signature = &function.signature;
    if signature.ident != "main" {
        errors.at(
            &signature.ident,
            "`#[tenancy::app]` is where the program starts: put it on `async fn main`",
        );
    }
    if signature.asyncness.is_none() {
        errors.at(
            signature.fn_token,
            "`main` is asynchronous: write `async fn main`",
        );
    }
    if !signature.generics.params.is_empty() {
        errors.at(&signature.generics, "`main` has no generics");
    }
    if let ReturnType::Type(_, ty) = &signature.output
        && let Type::ImplTrait(_) = ty.as_ref()
    {
        errors.at(ty, "`main` returns nothing or `Result<()>`");
    }
    other_runtime(function, errors);
    let mut arguments = signature.inputs.iter();
    let main = match arguments.next() {
        None => Main::Prepares,
        Some(FnArg::Typed(argument)) => Main::Serves(argument.ty.span()),
        Some(FnArg::Receiver(receiver)) => {
            errors.at(
                receiver,
                "`main` is a free function: write `async fn main(app: App)`",
            );
            Main::Prepares
        }
    };
    for argument in arguments {
        errors.at(
            argument,
            "`main` takes the application or nothing: write `async fn main(app: App)`",
        );
    }
    main
}

/// An attribute like `#[tokio::main]` would make `main` synchronous again.
fn other_runtime(function: &Function, errors: &mut Errors) {
    let mut attributes = function.attributes.iter();
    if let Some(attribute) = attributes.find(|attribute| starts_a_runtime(attribute)) {
        errors.at(
            attribute,
            "`#[tenancy::app]` starts the asynchronous runtime: drop this attribute",
        );
    }
}

pub(super) fn starts_a_runtime(attribute: &Attribute) -> bool {
    let segments = &attribute.path().segments;
    segments.len() > 1 && segments.last().is_some_and(|last| last.ident == "main")
}
