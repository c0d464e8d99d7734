//! Writes the handler out. Nothing is decided here: the code is what one would
//! write by hand against the runtime's traits.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Attribute, Expr, ExprLit, FnArg, Lit, LitStr, Meta, ReturnType, Type, parse_quote};

use crate::common::{Crate, Function, RateLimit};

use super::attr::Written;
use super::ir::{Audit, Feature, Handler, Route, TenantUse};
use super::{proof, signature};

/// The gated function, the struct of its name, and what that struct says.
pub(super) fn expand(krate: &Crate, handler: &Handler, function: &Function) -> TokenStream {
    let name = &function.signature.ident;
    let mut gated = function.clone();
    let gates: [Option<FnArg>; 3] = [
        // The first one, so that all calls count.
        handler
            .rate_limit
            .map(|_| parse_quote!(_: #krate::__private::RequireRateLimit<#name>)),
        handler
            .audit
            .as_ref()
            .map(|_| parse_quote!(_: #krate::__private::RequireAudit<#name>)),
        handler
            .feature
            .as_ref()
            .map(|_| parse_quote!(_: #krate::__private::RequireFeature<#name>)),
    ];
    let mut is_gated = false;
    for gate in gates.into_iter().rev().flatten() {
        gated.signature.inputs.insert(0, gate);
        is_gated = true;
    }
    if is_gated {
        // Of the user's own there may be as many as clippy allows.
        gated
            .attributes
            .push(parse_quote!(#[allow(clippy::too_many_arguments)]));
    }
    let mut beside = vec![companion(function)];
    if let Some(feature) = &handler.feature {
        beside.push(feature_gate(krate, name, feature));
    }
    if let Some(limit) = handler.rate_limit {
        beside.push(rate_limit_gate(krate, name, limit, handler.route.as_ref()));
    }
    if let Some(audit) = &handler.audit {
        beside.push(audit_gate(krate, name, audit));
    }
    // Before the route: what it says of an argument is read first.
    beside.push(proof::of(krate, function, &gated, handler.route.is_some()));
    if let Some(route) = &handler.route {
        beside.push(routed_handler(krate, route, handler, &gated));
    }
    with_conditions(&gated, &beside)
}

/// The function as it was. When it was meant to have a route it gets an empty
/// one, so that `routes(…)` does not report it a second time.
pub(super) fn fallback(krate: &Crate, written: &Written, function: &Function) -> TokenStream {
    if signature::is_method(function) {
        return quote!(#function);
    }
    let name = &function.signature.ident;
    let mut beside = vec![companion(function)];
    if written.is_routed() {
        // The path is like no other: an invented one could be another's.
        let unique = format!("::{name}");
        beside.push(quote! {
            #[automatically_derived]
            impl #krate::__private::RoutedHandler for #name {
                const METHOD: #krate::__private::Verb = #krate::__private::Verb::Get;
                const PATH: &'static str = ::core::concat!("/", ::core::module_path!(), #unique);
                const TENANT: #krate::__private::TenantUse =
                    #krate::__private::TenantUse::Required;
                fn handler() -> #krate::__private::MethodRouter {
                    #krate::__private::MethodRouter::new()
                }
            }
        });
    }
    with_conditions(function, &beside)
}

/// The function and what goes beside it, which exists only where it does.
fn with_conditions(function: &Function, beside: &[TokenStream]) -> TokenStream {
    let conditions = function.conditions();
    let mut conditions = quote!(#(#conditions)*);
    let is_deprecated = |attribute: &Attribute| attribute.path().is_ident("deprecated");
    if function.attributes.iter().any(is_deprecated) {
        // The warning is for who uses it, not for what is written here.
        conditions.extend(quote!(#[allow(deprecated)]));
    }
    quote! {
        #function
        #(#conditions #beside)*
    }
}

/// With braces it takes only the name of a type, and leaves the function its own.
fn companion(function: &Function) -> TokenStream {
    let visibility = &function.visibility;
    let name = &function.signature.ident;
    quote! {
        #[doc(hidden)]
        #[allow(non_camel_case_types, dead_code)]
        #visibility struct #name {}
    }
}

fn feature_gate(krate: &Crate, name: &Ident, feature: &Feature) -> TokenStream {
    let feature = match feature {
        Feature::Declared(feature) => quote_spanned!(feature.span()=> crate::features::#feature),
        Feature::At(path) => quote!(#path),
    };
    quote! {
        #[allow(unused_qualifications)]
        #[automatically_derived]
        impl #krate::__private::FeatureGate for #name {
            const FEATURE: #krate::__private::Feature = #feature;
        }
    }
}

/// What is limited is called by its route, which stays when code is moved; or
/// like the function where that has none.
fn rate_limit_gate(
    krate: &Crate,
    name: &Ident,
    limit: RateLimit,
    route: Option<&Route>,
) -> TokenStream {
    let limited = match route {
        Some(Route { method, path, .. }) => {
            let method = method.routing.to_uppercase();
            let text = format!("{method} {}", path.value());
            quote!(#text)
        }
        None => {
            let function = format!("::{name}");
            quote!(::core::concat!(::core::module_path!(), #function))
        }
    };
    let RateLimit { requests, per } = limit;
    let per = format_ident!("{per}");
    quote! {
        #[automatically_derived]
        impl #krate::__private::RateLimitGate for #name {
            const LIMIT: #krate::__private::RouteLimit = #krate::__private::RouteLimit {
                route: #limited,
                limit: #krate::__private::RateLimit::new(
                    #requests,
                    #krate::__private::Per::#per,
                ),
            };
        }
    }
}

fn audit_gate(krate: &Crate, name: &Ident, audit: &Audit) -> TokenStream {
    let Audit { action, resource } = audit;
    quote! {
        #[automatically_derived]
        impl #krate::__private::AuditGate for #name {
            const AUDITED: #krate::__private::Audited = #krate::__private::Audited {
                action: #action,
                resource: #resource,
            };
        }
    }
}

fn routed_handler(
    krate: &Crate,
    route: &Route,
    handler: &Handler,
    gated: &Function,
) -> TokenStream {
    let name = &gated.signature.ident;
    let path: &LitStr = &route.path;
    let verb = format_ident!("{}", route.method.verb);
    let routing = format_ident!("{}", route.method.routing);
    let tenant = format_ident!(
        "{}",
        match route.tenant {
            TenantUse::Required => "Required",
            TenantUse::Optional => "Optional",
            TenantUse::None => "None",
        }
    );
    let limit = handler.rate_limit.map(|_| {
        quote! {
            const RATE_LIMIT: ::core::option::Option<#krate::__private::RouteLimit> =
                ::core::option::Option::Some(
                    <#name as #krate::__private::RateLimitGate>::LIMIT,
                );
        }
    });
    let audit = handler.audit.as_ref().map(|_| {
        quote! {
            const AUDIT: ::core::option::Option<#krate::__private::Audited> =
                ::core::option::Option::Some(<#name as #krate::__private::AuditGate>::AUDITED);
        }
    });
    let description = description(krate, handler, gated);
    quote! {
        #[automatically_derived]
        impl #krate::__private::RoutedHandler for #name {
            const METHOD: #krate::__private::Verb = #krate::__private::Verb::#verb;
            const PATH: &'static str = #path;
            const TENANT: #krate::__private::TenantUse = #krate::__private::TenantUse::#tenant;
            #limit
            #audit
            fn handler() -> #krate::__private::MethodRouter {
                #krate::__private::routing::#routing(#name)
            }
            #description
        }
    }
}

/// What its types say of themselves; nothing in a build that describes no routes.
fn description(krate: &Crate, handler: &Handler, gated: &Function) -> TokenStream {
    let name = &gated.signature.ident;
    let docs = docs(&gated.attributes);
    let arguments = proof::types(gated).into_iter().map(|ty| named(krate, ty));
    let answer = match &gated.signature.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => named(krate, ty),
    };
    let tag = handler.tag.iter();
    let status = handler.status.map(Literal::u16_unsuffixed).into_iter();
    quote! {
        #krate::__private::describe! {
            #name, #docs, [#(#arguments),*], #answer #(, tag = #tag)* #(, status = #status)*
        }
    }
}

/// A type as it can be named outside of the signature.
fn named(krate: &Crate, ty: &Type) -> TokenStream {
    if signature::has_a_name(ty) {
        quote!(#ty)
    } else {
        quote!(#krate::__private::Unnamed)
    }
}

/// The doc comment, as far as it is text.
fn docs(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| {
        let Meta::NameValue(meta) = &attribute.meta else {
            return None;
        };
        match &meta.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(line),
                ..
            }) if meta.path.is_ident("doc") => Some(line.value()),
            _ => None,
        }
    });
    let lines: Vec<_> = lines
        .map(|line| line.strip_prefix(' ').unwrap_or(&line).to_owned())
        .collect();
    lines.join("\n")
}
