use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use crate::common::testing;

use super::super::tenant_handler;

fn of(attribute: TokenStream, item: TokenStream) -> Vec<String> {
    // Without spaces: how tokens are joined is not part of them.
    let text = |tokens: &TokenStream| tokens.to_string().replace(' ', "");
    let given = text(&item);
    let expansion = tenant_handler(attribute, item);
    assert!(
        text(&expansion).starts_with(&given),
        "the item is given back: {expansion}"
    );
    testing::mistakes(expansion)
}

/// The mistakes of an attribute on a handler that is right.
fn of_attribute(attribute: TokenStream) -> Vec<String> {
    let item = quote!(
        async fn handler() {}
    );
    of(attribute, item)
}

/// The mistakes of a handler under an attribute that is right.
fn of_handler(item: TokenStream) -> Vec<String> {
    of(quote!(post, "/todos"), item)
}

fn of_path(path: &str) -> Vec<String> {
    let path = path.to_token_stream();
    of_attribute(quote!(get, #path))
}

#[test]
fn unknown_words() {
    assert_eq!(
        of_attribute(quote!(get, "/a", featur = "exports")),
        [
            "unknown option `featur`; did you mean `feature`? (expected `feature`, \
             `rate_limit`, `audit`, `tenant`, `tag` or `status`)"
        ]
    );
    assert_eq!(
        of_attribute(quote!(subscribe, "/a", cache)),
        [
            "unknown method `subscribe` (expected `get`, `post`, `put`, `patch`, `delete`, \
             `head` or `options`)",
            "unknown option `cache` (expected `feature`, `rate_limit`, `audit`, `tenant`, `tag` \
             or `status`)",
        ]
    );
    assert_eq!(
        of_attribute(quote!(get, "/a", tenant = "non")),
        [
            "unknown use of the tenant `non`; did you mean `none`? (expected `required`, \
             `optional` or `none`)"
        ]
    );
    assert_eq!(
        of_attribute(quote!(GET, "/a")),
        [
            "unknown method `GET`; did you mean `get`? (expected `get`, `post`, `put`, `patch`, \
             `delete`, `head` or `options`)"
        ]
    );
}

#[test]
fn options_in_the_wrong_shape() {
    assert_eq!(
        of_attribute(quote!(get, "/a", 5)),
        [
            "expected a route or an option: `#[tenant_handler(get, \"/todos\")]`, \
             `#[tenant_handler(feature = \"exports\")]`"
        ]
    );
    assert_eq!(
        of_attribute(quote!(get, "/a", tenant = none)),
        ["write `tenant = \"none\"`"]
    );
    assert_eq!(
        of_attribute(quote!(get, "/a", feature)),
        ["write one feature, `feature = \"exports\"`, or the path of its constant"]
    );
    assert_eq!(
        of_attribute(quote!(feature = "advanced-analytics")),
        [
            "a feature is named like a constant, with letters, digits and `_`, as \
             `tenancy::features!` declares it"
        ]
    );
    assert_eq!(
        of_attribute(quote!(get, "/a", feature = "a", feature = "b")),
        ["`feature` is given twice"]
    );
    assert_eq!(
        of_attribute(quote!(get, "/a" tenant = "none")),
        ["write a comma before this"]
    );
    assert_eq!(
        of_attribute(quote!(get "/a", feature = "a")),
        ["write a comma between the method and the path: \
             `#[tenant_handler(get, \"/todos\")]`"]
    );
    assert_eq!(
        of_attribute(quote!(get, "/a", tenant = "none" feature = "a")),
        ["write a comma before this"]
    );
}

#[test]
fn half_a_route() {
    assert_eq!(
        of_attribute(quote!("/todos")),
        ["write the method first: `#[tenant_handler(get, \"/todos\")]`"]
    );
    assert_eq!(
        of_attribute(quote!(get)),
        ["write the path after the method: `#[tenant_handler(get, \"/todos\")]`"]
    );
    assert_eq!(
        of_attribute(quote!("/todos", get)),
        ["write the method before the path: `#[tenant_handler(get, \"/todos\")]`"]
    );
    assert_eq!(
        of_attribute(quote!("get", "/todos")),
        ["write the method without quotes: `#[tenant_handler(get, \"/todos\")]`"]
    );
    assert_eq!(
        of_attribute(quote!(get, post, "/a", "/b")),
        [
            "a handler has one method; write a second handler for the other",
            "a handler has one path; write a second handler for the other",
        ]
    );
    assert_eq!(
        of_attribute(quote!(tenant = "none")),
        [
            "`tenant` is about a route: write the method and path first: \
             `#[tenant_handler(get, \"/todos\")]`"
        ]
    );
}

#[test]
fn paths_that_axum_refuses() {
    let right = [
        "/",
        "/todos/",
        "/todos/{id}",
        "/v{version}/todos",
        "/files/{*rest}",
        "/{{id}}",
    ];
    for path in right {
        assert_eq!(of_path(path), [""; 0], "{path}");
    }
    assert_eq!(
        of_path("todos"),
        ["a path starts with `/`: write \"/todos\""]
    );
    assert_eq!(
        of_path("/todos/:id"),
        ["`:id` is the old way to write a parameter: write `{id}`"]
    );
    assert_eq!(
        of_path("/files/*rest"),
        ["`*rest` is the old way to write a parameter: write `{*rest}`"]
    );
    assert_eq!(
        of_path("/a/{id}/b/{id}"),
        ["the parameter `id` is named twice; give each its own name"]
    );
    assert_eq!(
        of_path("/files/{*rest}/meta"),
        ["`{*rest}` takes all that follows: it must end the path"]
    );
    for segment in ["{id", "id}", "{}", "{*}", "{id}.json", "{a}{b}", "{a*}"] {
        assert_eq!(
            of_path(&format!("/{segment}")),
            [format!(
                "`{segment}` is not a parameter: a segment has at most one and ends with it, \
                 as in `{{id}}`, `v{{version}}` or `{{*rest}}`"
            )]
        );
    }
    assert_eq!(
        of_path("/todos?done=true"),
        ["only the path belongs here, without query or spaces: \
             `#[tenant_handler(get, \"/todos\")]`; read the query with the extractor `Query<…>`"]
    );
}

#[test]
fn functions_that_are_no_handlers() {
    assert_eq!(
        of_handler(quote!(
            struct Todo;
        )),
        ["`#[tenant_handler]` goes on an `async fn`"]
    );
    assert_eq!(
        of_handler(quote!(
            fn create() {}
        )),
        ["a handler is asynchronous: write `async fn`"]
    );
    assert_eq!(
        of_handler(quote!(
            async fn create(&self) {}
        )),
        [
            "a handler is a free function: move it out of the `impl` and take what it needs as \
             extractors"
        ]
    );
    assert_eq!(
        of_handler(quote!(
            async fn create<T>(value: T) {}
        )),
        ["a handler has no generics: a route needs every type by its name"]
    );
    assert_eq!(
        of_handler(quote!(
            async fn create(value: impl Send) {}
        )),
        ["a handler has no generics: write the type of the extractor"]
    );
    assert_eq!(
        of_handler(quote!(
            async unsafe fn create() {}
        )),
        ["a handler is called by axum, which promises nothing: drop `unsafe`"]
    );
}

#[test]
fn arguments_that_no_handler_has() {
    assert_eq!(
        of_handler(quote!(
            async fn create(conn: &mut TenantConn, tenant: &Tenant, body: &str) {}
        )),
        [
            "a handler owns its arguments: write `mut conn: TenantConn`",
            "a handler owns its arguments: write `tenant: Tenant`",
            "a handler owns its arguments: write `String`, which is the body, or an extractor \
             such as `Path<String>`",
        ]
    );
    assert_eq!(
        of_handler(quote!(
            async fn create(#[cfg(test)] tenant: Tenant) {}
        )),
        [
            "a handler has the same arguments in every build; remove the `cfg`, or put it on two \
             functions"
        ]
    );
    let state = quote!(
        async fn create(state: State<Arc<Shop>>) {}
    );
    assert_eq!(
        of_handler(state.clone()),
        [
            "a listed route has no router's state: take `Extension<Arc<Shop>>` and add it with \
             `App::layer(Extension(…))`, or drop the route and mount the handler with `App::merge`"
        ]
    );
    let mounted = tenant_handler(quote!(feature = "exports"), state);
    assert_eq!(testing::mistakes(mounted), [""; 0]);
}

#[test]
fn more_arguments_than_axum_gives() {
    let with = |count: usize| {
        let arguments = vec![quote!(_: Tenant); count];
        quote!(async fn create(#(#arguments),*) {})
    };
    let at_most = |most: &str| {
        format!(
            "axum gives a handler at most {most}: put some of them in a tuple, `(a, b): (A, B)`"
        )
    };
    assert_eq!(of_handler(with(16)), [""; 0]);
    assert_eq!(of_handler(with(17)), [at_most("16 arguments")]);
    let gated = || quote!(post, "/todos", feature = "exports");
    let most = tenant_handler(gated(), with(15));
    assert_eq!(testing::mistakes(most), [""; 0]);
    assert_eq!(
        of(gated(), with(16)),
        [at_most("15 arguments beside `feature`")]
    );
}

#[test]
fn the_body() {
    for body in [
        quote!(Json<Todo>),
        quote!(axum::Json<Todo>),
        quote!(Option<Json<Todo>>),
        quote!(Result<Json<Todo>, JsonRejection>),
    ] {
        let item = quote!(async fn create(body: #body, db: TenantConn) {});
        assert_eq!(
            of_handler(item),
            ["`Json` reads the body: make it the last argument"]
        );
        let item = quote!(async fn create(db: TenantConn, body: #body) {});
        assert_eq!(of_handler(item), [""; 0]);
    }
    assert_eq!(
        of_handler(quote!(
            async fn create(raw: Bytes, form: Form<Todo>) {}
        )),
        [
            "`Form` reads the body, and so does `Bytes`: the body can be read once, so keep one \
             of them as the last argument"
        ]
    );
}

#[test]
fn tenants_that_are_not_there() {
    assert_eq!(
        of(
            quote!(get, "/health", tenant = "none"),
            quote!(
                async fn health(tenant: Tenant, db: Option<TenantConn>) {}
            )
        ),
        [
            "a route with `tenant = \"none\"` has no `Tenant`: drop the option or the argument",
            "a route with `tenant = \"none\"` has no `TenantConn`: drop the option or the argument",
        ]
    );
    assert_eq!(
        of(
            quote!(get, "/welcome", tenant = "optional"),
            quote!(
                async fn welcome(tenant: Option<Tenant>, db: TenantDb) {}
            )
        ),
        [
            "with `tenant = \"optional\"` there may be no tenant, and so no `TenantDb`: take \
             `Option<Tenant>`, or drop the option"
        ]
    );
    assert_eq!(
        of(
            quote!(get, "/welcome", tenant = "optional"),
            quote!(
                async fn welcome(tenant: Tenant, db: Option<TenantConn>) {}
            )
        ),
        [
            "with `tenant = \"optional\"` there may be none: write `Option<Tenant>`",
            "with `tenant = \"optional\"` there may be no tenant, and so no `TenantConn`: take \
             `Option<Tenant>`, or drop the option",
        ]
    );
    assert_eq!(
        of_attribute(quote!(
            get,
            "/exports",
            tenant = "optional",
            feature = "exports"
        )),
        ["a feature belongs to a tenant: drop `feature` or `tenant = \"optional\"`"]
    );
    assert_eq!(
        of_attribute(quote!(
            get,
            "/exports",
            tenant = "none",
            feature = "exports"
        )),
        ["a feature belongs to a tenant: drop `feature` or `tenant = \"none\"`"]
    );
}

#[test]
fn all_tenants_are_not_for_those_who_serve_one() {
    for name in ["SystemAccess", "Provisioner", "Domains"] {
        let extractor = quote::format_ident!("{name}");
        let handler = quote!(
            async fn purge(all: #extractor) {}
        );
        let said = format!(
            "`{name}` reaches all tenants: give it a route of its own with `tenant = \"none\"`, \
             behind a check of who calls"
        );
        for attribute in [
            quote!(post, "/purge"),
            quote!(post, "/purge", tenant = "optional"),
        ] {
            assert_eq!(of(attribute, handler.clone()), [&*said]);
        }
        assert!(of(quote!(post, "/purge", tenant = "none"), handler).is_empty());
    }
}

#[test]
fn all_are_reported_at_once() {
    let mistakes = of(
        quote!(gett, "todos/:id", tenant = "non", featur = "exports"),
        quote!(
            fn update(title: Json<String>, tenant: Tenant) {}
        ),
    );
    assert_eq!(mistakes.len(), 7, "{mistakes:#?}");
}

#[test]
fn limits_that_are_none() {
    let how_many = "write a whole number from 1 to 4294967295, as \"100/min\"";
    for (text, says) in [
        ("100", "a limit says how many requests in which time: write for example \"100/min\"".to_owned()),
        ("0/min", format!("`0` is no number of requests: {how_many}")),
        ("-1/min", format!("`-1` is no number of requests: {how_many}")),
        ("+1/min", format!("`+1` is no number of requests: {how_many}")),
        ("4294967296/s", format!("`4294967296` is no number of requests: {how_many}")),
        (
            "5/week",
            "unknown time of a limit `week` (expected `s`, `sec`, `min`, `h`, `hour`, `d` or `day`)"
                .to_owned(),
        ),
    ] {
        assert_eq!(of_attribute(quote!(get, "/a", rate_limit = #text)), [says], "{text}");
    }
    for wrong in [quote!(rate_limit), quote!(rate_limit = 100)] {
        assert_eq!(
            of_attribute(quote!(get, "/a", #wrong)),
            ["write `rate_limit = \"100/min\"`"]
        );
    }
    for tenant in ["none", "optional"] {
        let says = format!(
            "a rate limit belongs to a tenant: drop `rate_limit` or `tenant = \"{tenant}\"`"
        );
        let attribute = quote!(get, "/a", tenant = #tenant, rate_limit = "5/s");
        assert_eq!(of_attribute(attribute), [says]);
    }
    assert_eq!(
        of_attribute(quote!(get, "/a", rate_limit = "5/s", rate_limit = "6/s")),
        ["`rate_limit` is given twice"]
    );
}

#[test]
fn what_is_said_of_an_answer_and_cannot_be() {
    let usage =
        "write the status of a success, 200 to 299, as in `status = 201`: errors have their own";
    for wrong in [
        quote!(status),
        quote!(status = "created"),
        quote!(status = 404),
        quote!(status = 20000000),
        quote!(status = CREATED),
    ] {
        assert_eq!(of_attribute(quote!(post, "/a", #wrong)), [usage]);
    }
    assert_eq!(
        of_attribute(quote!(get, "/a", tag = todos)),
        ["write `tag = \"todos\"`"]
    );
    assert_eq!(
        of_attribute(quote!(
            get,
            "/a",
            tag = "a",
            tag = "b",
            status = 200,
            status = 201
        )),
        ["`tag` is given twice", "`status` is given twice"]
    );
    assert_eq!(
        of_attribute(quote!(feature = "exports", tag = "a", status = 201)),
        [
            "`tag` is about a route: write the method and path first: \
             `#[tenant_handler(get, \"/todos\")]`",
            "`status` is about a route: write the method and path first: \
             `#[tenant_handler(get, \"/todos\")]`",
        ]
    );
}

#[test]
fn trails_that_say_nothing() {
    let usage = "write `audit(action = \"publish\", resource = \"post\")`";
    let of_audit = |inside: TokenStream| of_attribute(quote!(post, "/a", audit(#inside)));
    for wrong in [quote!(audit), quote!(audit = "publish")] {
        assert_eq!(of_attribute(quote!(post, "/a", #wrong)), [usage]);
    }
    assert_eq!(
        of_audit(quote!()),
        [
            format!("`audit` needs `action`: {usage}"),
            format!("`audit` needs `resource`: {usage}")
        ]
    );
    assert_eq!(
        of_audit(quote!(action = "publish")),
        [format!("`audit` needs `resource`: {usage}")]
    );
    // One mistake is said once.
    assert_eq!(
        of_audit(quote!(acton = "publish", resource = "post")),
        [
            "unknown part of `audit` `acton`; did you mean `action`? (expected `action` or `resource`)"
        ]
    );
    assert_eq!(of_audit(quote!("publish", "post")), [usage, usage]);
    for wrong in [
        quote!(action),
        quote!(action = publish),
        quote!(action = "a" resource = "b"),
    ] {
        let resource = quote!(resource = "post");
        assert_eq!(
            of_audit(quote!(#wrong, #resource)),
            ["write `action = \"…\"`, in quotes and with a comma after it"],
        );
    }
    assert_eq!(
        of_audit(quote!(action = "a", action = "b", resource = "post")),
        ["`action` is given twice"]
    );
    let (long, fits) = ("x".repeat(201), "é".repeat(200));
    for (text, says) in [
        ("", "is empty"),
        ("  ", "is empty"),
        ("pub\nlish", "has control characters in it"),
        (&*long, "has 201 characters"),
    ] {
        assert_eq!(
            of_audit(quote!(action = "publish", resource = #text)),
            [format!(
                "the `resource` {says}: write 1 to 200 characters of one line"
            )]
        );
    }
    let attribute = quote!(post, "/a", audit(action = #fits, resource = "post",));
    let item = quote!(
        async fn handler() {}
    );
    assert!(testing::mistakes(tenant_handler(attribute, item)).is_empty());
}

#[test]
fn trails_where_none_can_be_kept() {
    let audit = quote!(audit(action = "publish", resource = "post"));
    for tenant in ["none", "optional"] {
        assert_eq!(
            of_attribute(quote!(post, "/a", tenant = #tenant, #audit)),
            [format!(
                "a trail belongs to a tenant: drop `audit` or `tenant = \"{tenant}\"`"
            )]
        );
    }
    assert_eq!(
        of_attribute(quote!(post, "/a", #audit, #audit)),
        ["`audit` is given twice"]
    );
    assert_eq!(
        of_attribute(audit),
        [
            "`audit` is about a route: write the method and path first: \
             `#[tenant_handler(get, \"/todos\")]`"
        ]
    );
}
