use proc_macro2::TokenStream;
use quote::quote;

use crate::common::Crate;
use crate::common::testing::{assert_expansion, mentions};

use super::super::{tenant_handler, tenant_handler_in};

#[test]
fn a_route() {
    assert_expansion!(tenant_handler(
        quote!(get, "/todos/{id}"),
        quote! {
            /// One todo.
            #[allow(clippy::unused_async)]
            pub async fn find(Path(id): Path<Uuid>, mut db: TenantConn) -> Result<Json<Todo>> {
                Ok(Json(Todo::query().find(id).first(&mut db).await?))
            }
        },
    ));
}

#[test]
fn a_route_that_says_what_it_answers() {
    assert_expansion!(tenant_handler(
        quote!(put, "/todos/{id}", tag = "todos", status = 202),
        quote! {
            /// Puts a todo.
            ///
            /// Later.
            #[doc = include_str!("put.md")]
            async fn put(_: &'static str, body: Json<Todo>) -> (StatusCode, impl IntoResponse) {
                (StatusCode::ACCEPTED, "later")
            }
        },
    ));
}

#[test]
fn a_route_with_a_gate() {
    assert_expansion!(tenant_handler(
        quote!(get, "/metrics/summary", feature = "advanced_analytics"),
        quote! {
            pub(crate) async fn summary(tenant: Tenant, mut db: TenantConn) -> Json<Summary> {
                summarise(&tenant, &mut db).await
            }
        },
    ));
}

#[test]
fn a_route_with_a_limit() {
    assert_expansion!(tenant_handler(
        quote!(post, "/imports", feature = "imports", rate_limit = "5/min"),
        quote! {
            async fn import(db: TenantDb, body: String) -> Result<()> {
                read(db, body).await
            }
        },
    ));
}

#[test]
fn a_route_with_a_trail() {
    assert_expansion!(tenant_handler(
        quote!(
            post,
            "/posts",
            feature = "posts",
            audit(action = "publish", resource = "post")
        ),
        quote! {
            async fn publish(db: TenantDb, body: String) -> Result<()> {
                write(db, body).await
            }
        },
    ));
}

#[test]
fn a_limit_without_a_route() {
    assert_expansion!(tenant_handler(
        quote!(rate_limit = "100/h"),
        quote!(
            async fn report() {}
        ),
    ));
}

#[test]
fn a_gate_without_a_route() {
    assert_expansion!(tenant_handler(
        quote!(feature = crate::plans::features::exports),
        quote! {
            async fn export(State(files): State<Files>) -> impl IntoResponse {
                files.export().await
            }
        },
    ));
}

#[test]
fn a_route_without_a_tenant() {
    assert_expansion!(tenant_handler(
        quote!(get, "/health", tenant = "none"),
        quote!(
            async fn health() {}
        ),
    ));
}

#[test]
fn nothing_at_all() {
    assert_expansion!(tenant_handler(
        quote!(),
        quote!(
            async fn plain() {}
        ),
    ));
}

#[test]
fn a_condition_holds_for_everything() {
    assert_expansion!(tenant_handler(
        quote!(post, "/import", tenant = "optional"),
        quote! {
            #[cfg(feature = "import")]
            async fn import(tenant: Option<Tenant>, rows: Json<Vec<Row>>) -> StatusCode {
                StatusCode::ACCEPTED
            }
        },
    ));
}

#[test]
fn a_deprecated_handler_is_not_reported_here() {
    assert_expansion!(tenant_handler(
        quote!(get, "/old"),
        quote!(
            #[deprecated]
            async fn old() {}
        ),
    ));
}

#[test]
fn a_mistake_keeps_the_function_and_gives_it_an_empty_route() {
    assert_expansion!(tenant_handler(
        quote!(get, "/todos/:id"),
        quote! {
            /// One todo.
            pub async fn find() {}
        },
    ));
}

#[test]
fn a_half_typed_body_is_left_alone() {
    let item = quote! { async fn list(db: TenantConn) { let todos = ; } };
    let expansion = tenant_handler(quote!(get, "/todos"), item.clone()).to_string();
    assert!(expansion.starts_with(&item.to_string()), "{expansion}");
    assert!(!expansion.contains("compile_error"), "{expansion}");
}

#[test]
fn the_feature_may_be_written_as_the_compiler_suggests_it() {
    let item = quote!(
        async fn export() {}
    );
    assert_eq!(
        tenant_handler(quote!(feature = exports), item.clone()).to_string(),
        tenant_handler(quote!(feature = "exports"), item).to_string(),
    );
}

#[test]
fn a_renamed_crate_is_called_by_its_new_name() {
    let expand = |attribute: TokenStream, item: TokenStream| {
        tenant_handler_in(&Crate::named("multi"), attribute, item)
    };
    let item = quote!(
        async fn export(tenant: Tenant) -> String {}
    );
    for attribute in [
        quote!(get, "/exports", feature = "exports"),
        quote!(get, "exports"),
    ] {
        assert!(!mentions(expand(attribute, item.clone()), "tenancy"));
    }
}
