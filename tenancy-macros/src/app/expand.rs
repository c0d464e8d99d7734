//! Writes the application out: one chain of calls on the runtime's builder,
//! as one would write it by hand. Nothing is decided here.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Index, Path, ReturnType, Visibility};

use crate::common::{Crate, Function};

use super::ir::{
    Admin, App, Audit, Embedded, Expected, Isolation, Jwt, Main, Membership, Resolver, Strategy,
};
use super::main_function::starts_a_runtime;

pub(super) fn expand(krate: &Crate, app: &App, main: &Main, function: &Function) -> TokenStream {
    let conditions = function.conditions();
    let conditions = quote!(#(#conditions)*);
    let visibility = &function.visibility;
    let inner = inner(function);
    let builder = builder(krate, app);
    let body = body(krate, main, function);
    let embedded = embedded(krate, app).map(|check| quote!(#conditions #check));
    let jwt = jwt_feature(krate, app).map(|check| quote!(#conditions #check));
    let routes = routes(krate, app, main).map(|checks| quote!(#conditions #checks));
    let domains = domains_feature(krate, app).map(|check| quote!(#conditions #check));
    let openapi = openapi_feature(krate, app).map(|check| quote!(#conditions #check));
    quote! {
        #conditions
        #visibility fn main() -> ::std::process::ExitCode {
            #inner
            #krate::__private::run(#builder, async |app| #body)
        }
        #embedded
        #jwt
        #routes
        #domains
        #openapi
    }
}

/// The user's function and a `main`, so that a missing one is no second mistake.
pub(super) fn fallback(function: &Function) -> TokenStream {
    let mut function = function.clone();
    function
        .attributes
        .retain(|attribute| !starts_a_runtime(attribute));
    let function = &function;
    let conditions = function.conditions();
    if function.signature.ident != "main" {
        return quote! {
            #function
            #(#conditions)* fn main() {}
        };
    }
    let visibility = &function.visibility;
    let inner = inner(function);
    quote! {
        #(#conditions)*
        #visibility fn main() {
            #[allow(dead_code)]
            #inner
        }
    }
}

/// The user's `main`, inside the one that the program starts with.
fn inner(function: &Function) -> TokenStream {
    let mut inner = function.clone();
    inner.visibility = Visibility::Inherited;
    // It has to be asynchronous also where it waits for nothing.
    quote!(#[allow(clippy::unused_async)] #inner)
}

fn builder(krate: &Crate, app: &App) -> TokenStream {
    let isolation = app
        .isolation
        .iter()
        .map(|isolation| self::isolation(krate, isolation));
    let template = app.database_url_template.iter();
    let resolvers = app.resolvers.iter().map(|one| resolver(krate, one));
    let membership = app.membership.iter().map(|membership| match membership {
        Membership::Gateway => quote!(#krate::admit::Gateway),
        Membership::Own(path) => quote!(#path),
    });
    let plans = app.plans.iter();
    let settings = app.settings.iter();
    let audit = app.audit.iter().map(|audit| match audit {
        Audit::Database => quote!(#krate::audit::DatabaseTrail),
        Audit::Log => quote!(#krate::audit::LogTrail),
        Audit::Own(path) => quote!(#path),
    });
    let admin = app.admin.iter().map(|admin| match admin {
        Admin::Open => quote!(#krate::admin::OpenGuard::default()),
        Admin::Token => quote!(#krate::admin::TokenGuard::default()),
        Admin::Own(path) => quote!(#path),
    });
    let embedded = app.embedded.iter().map(|embedded| match embedded {
        Embedded::Temporary(span) => {
            quote_spanned!(*span=> .embedded(#krate::__private::Embedded::Temporary))
        }
        Embedded::Folder(folder) => quote_spanned! {folder.span()=>
            .embedded(#krate::__private::Embedded::Folder(#folder.into()))
        },
    });
    let models = &app.models;
    // The folder is read, and its mistakes told, by the macro for it.
    let migrations = app
        .migrations
        .iter()
        .map(|folder| quote_spanned!(folder.span()=> .migrations(#krate::migrations!(#folder))));
    let routes = &app.routes;
    let seeds = &app.seeds;
    let chain = quote! {
        #krate::App::new(
            ::core::env!("CARGO_PKG_NAME"),
            ::core::env!("CARGO_PKG_VERSION"),
        )
        #(.isolation(#isolation))*
        #(.database_url_template(#template))*
        #(#resolvers)*
        #(.membership(#membership))*
        #(.plans::<#plans>())*
        #(.settings::<#settings>())*
        #(.audit(#audit))*
        #(.admin(#admin))*
        #(#embedded)*
        #(.model::<#models>())*
        #(#migrations)*
        #(.route::<#routes>())*
        #(.seed(#seeds))*
    };
    match app.openapi {
        Some(span) => quote_spanned!(span=> #krate::__private::openapi(#chain)),
        None => chain,
    }
}

fn resolver(krate: &Crate, resolver: &Resolver) -> TokenStream {
    match resolver {
        Resolver::Header(Some(name)) => quote!(.resolver(#krate::HeaderResolver::new(#name))),
        Resolver::Header(None) => quote!(.resolver(#krate::HeaderResolver::default())),
        Resolver::Subdomain(suffix, custom_domains) => {
            let custom_domains =
                custom_domains.map(|span| quote_spanned!(span=> .custom_domains()));
            quote!(.resolver(#krate::resolve::SubdomainResolver::new(#suffix) #custom_domains))
        }
        Resolver::Path(Some(prefix)) => {
            quote!(.resolver(#krate::resolve::PathResolver::new(#prefix)))
        }
        Resolver::Path(None) => quote!(.resolver(#krate::resolve::PathResolver::default())),
        Resolver::Jwt(jwt) => self::jwt(krate, jwt),
        Resolver::Own(path) => quote!(.custom_resolver(#path)),
    }
}

fn jwt(krate: &Crate, jwt: &Jwt) -> TokenStream {
    let claim = jwt.claim.iter();
    let audience = jwt.audience.iter().map(|audience| match audience {
        Expected::Any => quote!(.any_audience()),
        Expected::One(name) => quote!(.audience(#name)),
    });
    let issuer = jwt.issuer.iter().map(|issuer| match issuer {
        Expected::Any => quote!(.any_issuer()),
        Expected::One(name) => quote!(.issuer(#name)),
    });
    let algorithm = jwt.algorithm.iter().map(|name| {
        let name = format_ident!("{name}");
        quote!(.algorithm(#krate::resolve::JwtAlgorithm::#name))
    });
    quote! {
        .resolver(
            #krate::resolve::JwtResolver::new()
                #(.claim(#claim))*
                #(#audience)*
                #(#issuer)*
                #(#algorithm)*
        )
    }
}

fn isolation(krate: &Crate, isolation: &Isolation) -> TokenStream {
    let strategy = |strategy: Strategy| {
        let name = format_ident!(
            "{}",
            match strategy {
                Strategy::Rls => "Rls",
                Strategy::Schema => "Schema",
                Strategy::Database => "Database",
            }
        );
        quote!(#krate::Strategy::#name)
    };
    match isolation {
        Isolation::Single(single) => {
            let single = strategy(*single);
            quote!(#krate::Isolation::single(#single))
        }
        Isolation::Hybrid {
            premium,
            standard,
            premium_tenants,
            premium_plans,
        } => {
            let premium = strategy(*premium);
            let standard = strategy(*standard);
            let tenants = (!premium_tenants.is_empty())
                .then(|| quote!(.premium_tenants([#(#premium_tenants),*])));
            let plans =
                (!premium_plans.is_empty()).then(|| quote!(.premium_plans([#(#premium_plans),*])));
            quote!(#krate::Isolation::hybrid(#premium, #standard) #tenants #plans)
        }
    }
}

/// What runs `main`. What it returns and takes is blamed on the user's own
/// types.
fn body(krate: &Crate, main: &Main, function: &Function) -> TokenStream {
    let returned = match &function.signature.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => quote!(#ty),
    };
    let into_result = quote_spanned! {returned.span()=>
        <#returned as #krate::__private::MainResult>::into_result
    };
    match main {
        // What it prepares, it prepares for every command.
        Main::Prepares => quote!({ #into_result(main().await)?; app.serve().await }),
        Main::Serves(span) => {
            let call = quote_spanned!(*span=> main(app));
            quote!(#into_result(#call.await))
        }
    }
}

/// Only the crate itself knows whether it is built with the embedded database.
fn embedded(krate: &Crate, app: &App) -> Option<TokenStream> {
    let span = match app.embedded.as_ref()? {
        Embedded::Temporary(span) => *span,
        Embedded::Folder(folder) => folder.span(),
    };
    Some(quote_spanned! {span=>
        const _: () = ::core::assert!(
            #krate::__private::EMBEDDED,
            "the embedded database needs the feature `embedded` of `tenancy`: add it in Cargo.toml, or drop this option"
        );
    })
}

/// And whether it is built with what checks tokens.
fn jwt_feature(krate: &Crate, app: &App) -> Option<TokenStream> {
    let span = app.resolvers.iter().find_map(|resolver| match resolver {
        Resolver::Jwt(jwt) => Some(jwt.span),
        _ => None,
    })?;
    Some(quote_spanned! {span=>
        const _: () = ::core::assert!(
            #krate::__private::JWT,
            "the resolver `jwt` needs the feature `jwt` of `tenancy`: add it in Cargo.toml"
        );
    })
}

/// And with what proves domains.
fn domains_feature(krate: &Crate, app: &App) -> Option<TokenStream> {
    let span = app.resolvers.iter().find_map(|resolver| match resolver {
        Resolver::Subdomain(_, custom_domains) => *custom_domains,
        _ => None,
    })?;
    Some(quote_spanned! {span=>
        const _: () = ::core::assert!(
            #krate::__private::DOMAINS,
            "`custom_domains` needs the feature `domains` of `tenancy`: add it in Cargo.toml"
        );
    })
}

/// And with what describes routes.
fn openapi_feature(krate: &Crate, app: &App) -> Option<TokenStream> {
    let span = app.openapi?;
    Some(quote_spanned! {span=>
        const _: () = ::core::assert!(
            #krate::__private::OPENAPI,
            "`openapi` needs the feature `openapi` of `tenancy`: add it in Cargo.toml"
        );
    })
}

/// What is wrong between the routes, or between a route and the application: only
/// the compiler knows what a path leads to, and so which method and path it stands
/// for and whether it is to be recorded.
fn routes(krate: &Crate, app: &App, main: &Main) -> Option<TokenStream> {
    let routes = &app.routes;
    // `main(app)` may add a trail; then the start tells.
    let without_a_trail = app.audit.is_none() && matches!(main, Main::Prepares);
    let checks = routes.iter().enumerate().map(|(position, route)| {
        let span = last_name(route);
        let index = Index::from(position);
        let taken = (position > 0).then(|| {
            quote_spanned! {span=>
                const _: () = ::core::assert!(
                    !#krate::__private::is_taken(ROUTES.split_at(#index).0, ROUTES[#index]),
                    "this handler has the method and path of an earlier one in `routes(…)`"
                );
            }
        });
        let unrecorded = without_a_trail.then(|| {
            quote_spanned! {span=>
                const _: () = ::core::assert!(
                    !ROUTES[#index].audited,
                    "this handler has `audit(…)`, and the application keeps no trail: add `audit = \"database\"` here, or drop `audit(…)` there"
                );
            }
        });
        taken.into_iter().chain(unrecorded).collect::<TokenStream>()
    });
    let checks: TokenStream = checks.collect();
    (!checks.is_empty()).then(|| {
        quote! {
            const _: () = {
                const ROUTES: &[#krate::__private::RouteSpec] =
                    &[#(<#routes as #krate::__private::RoutedHandler>::SPEC),*];
                #checks
            };
        }
    })
}

/// On stable an error covers the first token of what it is spanned on, and in
/// `todos::create` that says less than the last one.
fn last_name(route: &Path) -> Span {
    let last = route.segments.last();
    last.map_or_else(|| route.span(), Spanned::span)
}
