use proc_macro2::TokenStream;
use quote::quote;

use crate::common::Crate;
use crate::common::testing::{assert_expansion, mentions};

use super::super::{app, app_in};

/// The expansion around a `main` that does nothing.
fn around_nothing(attribute: TokenStream) -> TokenStream {
    let item = quote!(
        async fn main() {}
    );
    app(attribute, item)
}

#[test]
fn hybrid_with_everything() {
    assert_expansion!(around_nothing(quote!(
        isolation = "hybrid",
        premium = "schema",
        standard = "rls",
        premium_tenants("acme-corp"),
        premium_plans("enterprise"),
        resolver = "header",
        header = "X-Tenant-ID",
        membership = "gateway",
        plans = crate::plans::Plan,
        settings = Settings,
        audit = "database",
        admin = "token",
        openapi = "public",
        embedded = "temporary",
        models(Todo, crate::plans::Plan),
        routes(list, todos::create, summary),
        seed("acme-corp", "globex"),
    )));
}

#[test]
fn hybrid_by_the_plan_premium() {
    assert_expansion!(around_nothing(quote!(
        isolation = "hybrid",
        premium = "schema",
        standard = "rls"
    )));
}

#[test]
fn rls_in_a_folder() {
    assert_expansion!(around_nothing(quote!(
        isolation = "rls",
        resolver("subdomain", "path", crate::keys::ByKey),
        suffix = ".myapp.com",
        custom_domains,
        membership = Members,
        admin = crate::Operators,
        embedded = "./data",
        models(Todo)
    )));
}

#[test]
fn tokens() {
    assert_expansion!(around_nothing(quote!(
        resolver("jwt", "header"),
        claim = "org",
        audience = "any",
        issuer = "https://login.myapp.com",
        algorithm = "ES256"
    )));
}

#[test]
fn without_a_database() {
    assert_expansion!(around_nothing(quote!(admin = "open", routes(hello))));
}

#[test]
fn main_with_the_application() {
    assert_expansion!(app(
        quote!(isolation = "schema"),
        quote! {
            /// Starts.
            #[cfg(unix)]
            #[allow(clippy::large_futures)]
            pub async fn main(app: App) -> Result<()> {
                app.merge(extra()).serve().await
            }
        },
    ));
}

#[test]
fn a_mistake_keeps_a_main() {
    assert_expansion!(app(
        quote!(isolation = "hybird"),
        quote! {
            #[tokio::main]
            async fn main(app: App) -> Result<()> {
                app.serve().await
            }
        },
    ));
}

#[test]
fn another_function_gets_a_main_beside_it() {
    assert_expansion!(app(
        quote!(isolation = "rls"),
        quote! {
            async fn serve() {}
        },
    ));
}

#[test]
fn a_renamed_crate_is_called_by_its_new_name() {
    let item = quote!(
        async fn main(app: App) -> Result<()> {}
    );
    let attribute = quote!(
        isolation = "rls",
        header = "X-Tenant-ID",
        embedded = "temporary",
        routes(list, create)
    );
    let expansion = app_in(&Crate::named("multi"), attribute, item);
    assert!(!mentions(expansion, "tenancy"));
}
