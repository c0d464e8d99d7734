//! The rules about the function itself. What needs types is left to the
//! compiler, through the checks that `expand` writes; here is what can be told
//! from the names that axum and `tenancy` give their extractors.

use quote::ToTokens;
use syn::{FnArg, GenericArgument, Ident, PathArguments, Type};

use crate::common::{Errors, Function};

use super::ir::TenantUse;

/// Extractors that consume the request's body, so that nothing can come after.
const BODY: &[&str] = &[
    "Body",
    "Bytes",
    "Form",
    "Json",
    "Multipart",
    "RawForm",
    "Request",
    "String",
];

/// Extractors that exist only for a tenant.
const TENANT: &[&str] = &["Tenant", "TenantConn", "TenantDb"];

/// What works on the data of all tenants.
const SYSTEM: &str = "SystemAccess";

/// Reports what keeps the function from being a handler.
pub(super) fn check(function: &Function, tenant: TenantUse, errors: &mut Errors) {
    let signature = &function.signature;
    if signature.asyncness.is_none() {
        errors.at(
            signature.fn_token,
            "a handler is asynchronous: write `async fn`",
        );
    }
    let generics = &signature.generics;
    if !generics.params.is_empty() {
        errors.at(
            generics,
            "a handler has no generics: a route needs every type by its name",
        );
    }
    let mut types = Vec::new();
    for input in &signature.inputs {
        match input {
            FnArg::Receiver(receiver) => errors.at(
                receiver,
                "a handler is a free function: move it out of the `impl` and take what it needs \
                 as extractors",
            ),
            FnArg::Typed(argument) => types.push(argument.ty.as_ref()),
        }
    }
    for ty in &types {
        if matches!(ty, Type::ImplTrait(_)) {
            errors.at(
                ty,
                "a handler has no generics: write the type of the extractor",
            );
        }
        tenant_argument(ty, tenant, errors);
        system_argument(ty, tenant, errors);
    }
    body_arguments(&types, errors);
}

/// Whether the function is inside an `impl`, where nothing can be put beside it.
pub(super) fn is_method(function: &Function) -> bool {
    function.signature.receiver().is_some()
}

/// A tenant that may be missing is not an argument that is always there.
fn tenant_argument(ty: &Type, tenant: TenantUse, errors: &mut Errors) {
    let Some(name) = name_in(ty, TENANT) else {
        return;
    };
    match tenant {
        TenantUse::None => errors.at(
            ty,
            format_args!(
                "a route with `tenant = \"none\"` has no `{name}`: drop the option or the argument"
            ),
        ),
        TenantUse::Optional if inner(ty).is_none() => errors.at(
            ty,
            format_args!("with `tenant = \"optional\"` there may be none: write `Option<{name}>`"),
        ),
        TenantUse::Optional | TenantUse::Required => {}
    }
}

/// Who serves a tenant has no business with the data of all of them.
fn system_argument(ty: &Type, tenant: TenantUse, errors: &mut Errors) {
    if tenant != TenantUse::None && name_in(ty, &[SYSTEM]).is_some() {
        errors.at(
            ty,
            format_args!(
                "`{SYSTEM}` reaches the data of all tenants: give it a route of its own with \
                 `tenant = \"none\"`, behind a check of who calls"
            ),
        );
    }
}

/// The body can be read once, and by the last argument only.
fn body_arguments(types: &[&Type], errors: &mut Errors) {
    let readers: Vec<_> = types
        .iter()
        .enumerate()
        .filter_map(|(position, ty)| Some((position, ty, name_in(ty, BODY)?)))
        .collect();
    match readers.as_slice() {
        [] => {}
        [(position, ty, name)] => {
            if position + 1 < types.len() {
                errors.at(
                    ty,
                    format_args!("`{name}` reads the body: make it the last argument"),
                );
            }
        }
        [(_, _, first), more @ ..] => {
            for (_, ty, name) in more {
                errors.at(
                    ty,
                    format_args!(
                        "`{name}` reads the body, and so does `{first}`: the body can be read \
                         once, so keep one of them as the last argument"
                    ),
                );
            }
        }
    }
}

/// The last name of the type, if it is in `names`; `Option` and `Result` around
/// it make no difference to what is read.
fn name_in<'a>(ty: &'a Type, names: &[&str]) -> Option<&'a Ident> {
    let ty = inner(ty).unwrap_or(ty);
    let name = &last_segment(ty)?.ident;
    names.contains(&name.to_string().as_str()).then_some(name)
}

/// The first type inside an `Option<…>` or `Result<…>`.
fn inner(ty: &Type) -> Option<&Type> {
    let segment = last_segment(ty)?;
    if segment.ident != "Option" && segment.ident != "Result" {
        return None;
    }
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

fn last_segment(ty: &Type) -> Option<&syn::PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        _ => None,
    }
}

/// Whether a type can be named in a check beside the function: one with a
/// reference may lean on a lifetime that only the signature has.
pub(super) fn stands_alone(ty: &Type) -> bool {
    fn has_reference(tokens: proc_macro2::TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            proc_macro2::TokenTree::Punct(punct) => matches!(punct.as_char(), '&' | '\'' | '!'),
            proc_macro2::TokenTree::Group(group) => has_reference(group.stream()),
            proc_macro2::TokenTree::Ident(ident) => ident == "impl",
            proc_macro2::TokenTree::Literal(_) => false,
        })
    }
    !has_reference(ty.to_token_stream())
}
