//! The rules about the function itself. What needs types is left to the
//! compiler, through the checks that `expand` writes; here is what can be told
//! from the names that axum and `tenancy` give their extractors.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{FnArg, Ident, PatType, Type};

use crate::common::{Errors, Function, first_argument, last_segment};

use super::attr::Written;
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

/// Extractors that reach all tenants.
const ALL_TENANTS: &[&str] = &["Domains", "Provisioner", "SystemAccess"];

/// How many arguments axum gives a handler.
const MAX_ARGUMENTS: usize = 16;

/// Reports what keeps the function from being a handler.
pub(super) fn check(
    written: &Written,
    function: &Function,
    tenant: TenantUse,
    errors: &mut Errors,
) {
    let signature = &function.signature;
    if signature.asyncness.is_none() {
        errors.at(
            signature.fn_token,
            "a handler is asynchronous: write `async fn`",
        );
    }
    if let Some(unsafety) = &signature.unsafety {
        errors.at(
            unsafety,
            "a handler is called by axum, which promises nothing: drop `unsafe`",
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
            FnArg::Typed(argument) => {
                reference(argument, errors);
                condition(argument, errors);
                types.push(argument.ty.as_ref());
            }
        }
    }
    too_many(written, &types, errors);
    for ty in &types {
        if matches!(ty, Type::ImplTrait(_)) {
            errors.at(
                ty,
                "a handler has no generics: write the type of the extractor",
            );
        }
        tenant_argument(ty, tenant, errors);
        argument_for_all_tenants(ty, tenant, errors);
        if written.is_routed() {
            router_state(ty, errors);
        }
    }
    body_arguments(&types, errors);
}

/// Whether the function is inside an `impl`, where nothing can be put beside it.
pub(super) fn is_method(function: &Function) -> bool {
    function.signature.receiver().is_some()
}

/// Extractors are made for the handler, which owns them.
fn reference(argument: &PatType, errors: &mut Errors) {
    let Type::Reference(reference) = argument.ty.as_ref() else {
        return;
    };
    let ty = reference
        .elem
        .to_token_stream()
        .to_string()
        .replace(' ', "");
    let (name, is_str) = (argument.pat.to_token_stream(), ty == "str");
    let advice = match reference.mutability {
        _ if is_str => {
            "write `String`, which is the body, or an extractor such as `Path<String>`".to_owned()
        }
        Some(_) => format!("write `mut {name}: {ty}`"),
        None => format!("write `{name}: {ty}`"),
    };
    errors.at(
        &argument.ty,
        format_args!("a handler owns its arguments: {advice}"),
    );
}

/// What is written beside the function must know every argument.
fn condition(argument: &PatType, errors: &mut Errors) {
    let mut attributes = argument.attrs.iter();
    if let Some(attribute) = attributes.find(|attribute| attribute.path().is_ident("cfg")) {
        errors.at(
            attribute,
            "a handler has the same arguments in every build; remove the `cfg`, or put it on two functions",
        );
    }
}

/// The gates are some of them.
fn too_many(written: &Written, types: &[&Type], errors: &mut Errors) {
    let gates = [
        (written.feature.is_some(), "`feature`"),
        (written.rate_limit.is_some(), "`rate_limit`"),
        (written.audit.is_some(), "`audit`"),
    ];
    let gates = gates.iter().filter(|(given, _)| *given);
    let gates: Vec<_> = gates.map(|(_, option)| *option).collect();
    let most = MAX_ARGUMENTS - gates.len();
    let gates = match gates.as_slice() {
        [] => String::new(),
        [only] => format!(" beside {only}"),
        [first @ .., last] => format!(" beside {} and {last}", first.join(", ")),
    };
    if let Some(ty) = types.get(most) {
        errors.at(
            ty,
            format_args!(
                "axum gives a handler at most {most} arguments{gates}: put some of them in a tuple, \
                 `(a, b): (A, B)`"
            ),
        );
    }
}

/// The application's router has no state to extract.
fn router_state(ty: &Type, errors: &mut Errors) {
    let Some(segment) = last_segment(ty).filter(|segment| segment.ident == "State") else {
        return;
    };
    if let Some(state) = first_argument(segment) {
        let state = state.to_token_stream().to_string().replace(' ', "");
        errors.at(
            ty,
            format_args!(
                "a listed route has no router's state: take `Extension<{state}>` and add it with \
                 `App::layer(Extension(…))`, or drop the route and mount the handler with `App::merge`"
            ),
        );
    }
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
        TenantUse::Optional if name != "Tenant" => errors.at(
            ty,
            format_args!(
                "with `tenant = \"optional\"` there may be no tenant, and so no `{name}`: take \
                 `Option<Tenant>`, or drop the option"
            ),
        ),
        TenantUse::Optional if inner(ty).is_none() => errors.at(
            ty,
            "with `tenant = \"optional\"` there may be none: write `Option<Tenant>`",
        ),
        TenantUse::Optional | TenantUse::Required => {}
    }
}

/// Who serves a tenant has no business with all of them.
fn argument_for_all_tenants(ty: &Type, tenant: TenantUse, errors: &mut Errors) {
    let Some(name) = name_in(ty, ALL_TENANTS).filter(|_| tenant != TenantUse::None) else {
        return;
    };
    errors.at(
        ty,
        format_args!(
            "`{name}` reaches all tenants: give it a route of its own with `tenant = \"none\"`, \
             behind a check of who calls"
        ),
    );
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
    let wraps = segment.ident == "Option" || segment.ident == "Result";
    wraps.then(|| first_argument(segment))?
}

/// Whether a type can be named beside the function when each of its references says
/// that it is `'static`.
pub(super) fn has_a_name(ty: &Type) -> bool {
    fn is_static(tokens: TokenStream) -> bool {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let good = match &token {
                TokenTree::Punct(punct) if punct.as_char() == '&' => {
                    matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == '\'')
                }
                TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                    matches!(tokens.peek(), Some(TokenTree::Ident(name)) if name == "static")
                }
                TokenTree::Punct(punct) => punct.as_char() != '!',
                TokenTree::Group(group) => is_static(group.stream()),
                TokenTree::Ident(ident) => ident != "impl",
                TokenTree::Literal(_) => true,
            };
            if !good {
                return false;
            }
        }
        true
    }
    is_static(ty.to_token_stream())
}

/// Whether a type can be named in a check beside the function: one with a
/// reference may lean on a lifetime that only the signature has.
pub(super) fn stands_alone(ty: &Type) -> bool {
    fn has_reference(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Punct(punct) => matches!(punct.as_char(), '&' | '\'' | '!'),
            TokenTree::Group(group) => has_reference(group.stream()),
            TokenTree::Ident(ident) => ident == "impl",
            TokenTree::Literal(_) => false,
        })
    }
    !has_reference(ty.to_token_stream())
}
