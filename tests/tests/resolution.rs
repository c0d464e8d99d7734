//! Where requests name their tenant, and who may act for it.

use std::net::SocketAddr;

use axum::Router;
use axum::http::request::Parts;
use axum::routing::{delete, get};
use integration::http::raw;
use serde_json::json;
use tenancy::admit::{AdmissionLayer, Gateway, Membership, TenantUse};
use tenancy::config::Config;
use tenancy::prelude::*;
use tenancy::resolve::{
    Candidate, PathPrefix, PathResolver, Resolver, StripPrefixLayer, SubdomainResolver,
};
use tenancy::{HeaderResolver, Tenancy, async_trait};

const A: &str = "acme-corp";
const B: &str = "globex";

#[tenant_handler(get, "/health", tenant = "none")]
async fn health() -> &'static str {
    "ok"
}

#[tenant_handler(get, "/me")]
async fn me(tenant: Tenant, prefix: PathPrefix) -> Json<Value> {
    Json(json!({ "tenant": tenant.slug(), "prefix": prefix.as_str() }))
}

#[tenant_handler(get, "/maybe", tenant = "optional")]
async fn maybe(tenant: Option<Tenant>) -> Json<Value> {
    Json(json!(tenant.map(|tenant| tenant.slug().clone())))
}

fn app() -> App {
    App::new("door", "1.0.0")
        .route::<health>()
        .route::<me>()
        .route::<maybe>()
        .seed(A)
        .seed(B)
}

/// A mistake where the path names the tenant.
#[tenant_handler(get, "/t/{tenant}/orders")]
async fn orders(_: Tenant) -> &'static str {
    "reached"
}

/// An application that is served, until this is dropped.
pub(crate) struct Door {
    pub(crate) tenancy: Tenancy,
    pub(crate) address: SocketAddr,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Door {
    pub(crate) async fn open(app: App, vars: &[(&str, &str)]) -> Self {
        let vars = vars.iter().map(|&(n, v)| (n.to_owned(), v.to_owned()));
        let config = Config::from_vars(app.defaults(), vars).expect("a configuration");
        let (tenancy, router) = app.start(config).await.expect("a start");
        Self::serve(tenancy, router).await
    }

    async fn serve(tenancy: Tenancy, router: Router) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move {
            axum::serve(listener, service).await.expect("a server");
        });
        Self {
            tenancy,
            address,
            server,
        }
    }

    /// The whole answer to a GET of `path` with these header lines.
    pub(crate) async fn get(&self, path: &str, lines: &[&str]) -> String {
        self.ask("GET", path, lines).await
    }

    async fn ask(&self, method: &str, path: &str, lines: &[&str]) -> String {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n{lines}\r\n");
        let answer = raw(self.address, request.as_bytes()).await;
        String::from_utf8(answer).expect("text")
    }

    /// The status and the body.
    pub(crate) async fn short(&self, path: &str, lines: &[&str]) -> String {
        let answer = self.get(path, lines).await;
        let status = answer.split(' ').nth(1).expect("a status");
        let body = answer.split_once("\r\n\r\n").expect("a body").1;
        format!("{status} {body}")
    }
}

fn named(slug: &str, prefix: &str) -> String {
    format!("200 {}", json!({ "tenant": slug, "prefix": prefix }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_has_a_host_of_its_own() {
    let by_host = || {
        app()
            .resolver(SubdomainResolver::new(".myapp.com"))
            .membership(Gateway)
    };
    let door = Door::open(by_host(), &[]).await;
    for host in ["acme-corp.myapp.com", "ACME-CORP.myapp.com.:8000"] {
        let line = format!("Host: {host}");
        assert_eq!(door.short("/me", &[&line]).await, named(A, ""), "{host}");
    }
    let refused = door.get("/me", &["Host: unknown.myapp.com"]).await;
    assert!(refused.contains("tenant_unresolved"), "{refused}");
    for lines in [
        &["Host: myapp.com"][..],
        &["Host: a.acme-corp.myapp.com"],
        &["Host: acme-corp.myapp.com.evil.org"],
        &["Host: acme-corp.myapp.com:x"],
        &["Host: acme-corp.myapp.com", "Host: globex.myapp.com"],
        &["Host: myapp.com", "X-Forwarded-Host: acme-corp.myapp.com"],
        &["Host: myapp.com", "Forwarded: host=acme-corp.myapp.com"],
        &["Host: myapp.com", "X-Tenant-ID: acme-corp"],
        &["Host: 127.0.0.1"],
    ] {
        assert_eq!(door.get("/me", lines).await, refused, "{lines:?}");
    }
    assert_eq!(door.short("/maybe", &["Host: myapp.com"]).await, "200 null");
    assert_eq!(door.short("/health", &["Host: anything"]).await, "200 ok");

    // The twin: a proxy that is trusted is believed.
    let trusted = [("TENANCY_TRUSTED_PROXIES", "127.0.0.1")];
    let door = Door::open(by_host(), &trusted).await;
    for line in [
        "X-Forwarded-Host: acme-corp.myapp.com",
        "Forwarded: for=1.2.3.4;host=acme-corp.myapp.com",
    ] {
        assert_eq!(
            door.short("/me", &["Host: upstream", line]).await,
            named(A, "")
        );
    }
    for lines in [
        &[
            "X-Forwarded-Host: acme-corp.myapp.com",
            "X-Forwarded-Host: globex.myapp.com",
        ][..],
        &["X-Forwarded-Host: acme-corp.myapp.com, globex.myapp.com"],
        &[
            "X-Forwarded-Host: acme-corp.myapp.com",
            "Forwarded: host=globex.myapp.com",
        ],
    ] {
        let lines: Vec<_> = [&["Host: upstream"][..], lines].concat();
        assert_eq!(door.get("/me", &lines).await, refused, "{lines:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_has_a_path_of_its_own() {
    let app = app().resolver(PathResolver::default()).membership(Gateway);
    let door = Door::open(app, &[]).await;
    let host = &["Host: myapp.com"][..];
    assert_eq!(
        door.short("/t/acme-corp/me?x=1", host).await,
        named(A, "/t/acme-corp")
    );
    assert_eq!(door.short("/t/globex/maybe", host).await, "200 \"globex\"");
    assert_eq!(door.short("/maybe", host).await, "200 null");
    let refused = door.get("/me", host).await;
    assert!(refused.contains("tenant_unresolved"), "{refused}");
    for path in [
        "/t/unknown/me",
        "/t/Acme-Corp/me",
        "/t/acme%2dcorp/me",
        "/t/%2e%2e/me",
        "/t//me",
    ] {
        assert_eq!(door.get(path, host).await, refused, "{path}");
    }
    // What belongs to no tenant is not below one: who guards `/health` in front
    // guards it at all.
    assert_eq!(door.short("/health", host).await, "200 ok");
    for path in [
        "/t/acme-corp/health",
        "/t/unknown/health",
        "/t/acme-corp",
        "/t",
        "/t/acme-corp/x",
    ] {
        assert!(door.short(path, host).await.starts_with("404 "), "{path}");
    }
}

/// What is there for GET alone, with what a method too many is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_public_route_is_unknown_below_a_tenant_whatever_the_method() {
    let open = Router::new().route("/open", get(async || "open"));
    let own = Router::new().route("/own", get(async |_: Tenant| "own"));
    // Two methods of one path: a tenant's, and a public one.
    let both = Router::new().route("/me", delete(async || "gone"));
    let app = app()
        .resolver(PathResolver::default())
        .membership(Gateway)
        .merge_public(open.merge(both))
        .merge(own);
    let door = Door::open(app, &[]).await;
    let host = &["Host: myapp.com"][..];
    for method in ["GET", "POST", "DELETE", "OPTIONS", "BREW"] {
        let unknown = door.ask(method, "/t/acme-corp/nowhere", host).await;
        assert!(unknown.starts_with("HTTP/1.1 404 "), "{unknown}");
        for path in ["/health", "/open"] {
            for tenant in ["acme-corp", "unknown", "Acme-Corp"] {
                let path = format!("/t/{tenant}{path}");
                let answer = door.ask(method, &path, host).await;
                assert_eq!(answer, unknown, "{method} {path}");
            }
        }
    }
    // A tenant's own routes say which methods they have, and those alone.
    for (path, allowed) in [("/me", "GET,HEAD"), ("/own", "GET,HEAD")] {
        for method in ["POST", "DELETE"] {
            let answer = door.ask(method, &format!("/t/acme-corp{path}"), host).await;
            assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
            let allowed = format!("\r\nallow: {allowed}\r\n");
            assert!(answer.contains(&allowed), "{answer}");
        }
    }
    // The twin: they are there where they belong.
    assert_eq!(door.short("/open", host).await, "200 open");
    let gone = door.ask("DELETE", "/me", host).await;
    assert!(gone.starts_with("HTTP/1.1 200 "), "{gone}");
    for path in ["/health", "/open"] {
        let answer = door.ask("POST", path, host).await;
        assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    }
}

/// Wired by hand there is one router, below tenants' paths as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_public_route_is_unknown_below_a_tenant_for_the_layer_by_itself() {
    let app = app().resolver(PathResolver::default()).membership(Gateway);
    let config = Config::from_vars(app.defaults(), []).expect("a configuration");
    let (tenancy, _) = app.start(config).await.expect("a start");
    let admit = |tenant| AdmissionLayer::new(tenancy.admission().clone(), tenant);
    let open = || get(async || "open");
    let routes = Router::new()
        .route("/open", open().layer(admit(TenantUse::None)))
        .route("/maybe", get(maybe).layer(admit(TenantUse::Optional)))
        .route("/bare", open());
    let wired = Router::new().fallback_service(routes);
    let wired = wired.layer(StripPrefixLayer(PathResolver::default()));
    let door = Door::serve(tenancy, wired).await;
    let host = &["Host: myapp.com"][..];
    assert_eq!(door.short("/open", host).await, "200 open");
    for tenant in ["acme-corp", "unknown", "Acme-Corp"] {
        let answer = door.short(&format!("/t/{tenant}/open"), host).await;
        assert!(answer.starts_with("404 "), "{answer}");
        assert!(answer.contains("\"code\":\"not_found\""), "{answer}");
    }
    let path = "/t/acme-corp/maybe";
    assert_eq!(door.short(path, host).await, "200 \"acme-corp\"");
    // The twin: without the layer it is there.
    assert_eq!(door.short("/t/acme-corp/bare", host).await, "200 open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fallback_of_a_merged_router_serves_what_no_route_matches() {
    let host = &["Host: myapp.com"][..];
    let by_path = || app().resolver(PathResolver::default()).membership(Gateway);
    let public = || Router::new().fallback(async || "the front page");
    let own = async |tenant: Tenant| format!("{}'s page", tenant.slug());
    let own = || Router::new().route("/own", get(own)).fallback(own);

    // One that belongs to no tenant is not below one.
    let door = Door::open(by_path().merge_public(public()), &[]).await;
    for path in ["/", "/a/b", "/t"] {
        assert_eq!(door.short(path, host).await, "200 the front page", "{path}");
    }
    assert_eq!(door.short("/health", host).await, "200 ok");
    let none = door.short("/t/acme-corp/a", host).await;
    assert!(none.starts_with("404 "), "{none}");
    assert!(none.contains("\"code\":\"not_found\""), "{none}");

    // A tenant's is, and is admitted to as its routes are.
    let door = Door::open(by_path().merge(own()), &[]).await;
    for path in ["/t/acme-corp", "/t/acme-corp/a/b", "/t/acme-corp/own"] {
        let page = door.short(path, host).await;
        assert_eq!(page, "200 acme-corp's page", "{path}");
    }
    let refused = door.get("/me", host).await;
    for path in ["/a", "/t/unknown/a", "/t/Acme-Corp/a"] {
        assert_eq!(door.get(path, host).await, refused, "{path}");
    }
    // A method too many is still one.
    let answer = door.ask("POST", "/t/acme-corp/me", host).await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");

    // Two are one too many, and the twin: without one there is ours.
    let two = by_path().merge(own()).merge_public(public());
    let config = Config::from_vars(two.defaults(), []).expect("a configuration");
    let refused = two.start(config).await.map(drop).unwrap_err().to_string();
    assert!(refused.contains("both have a fallback"), "{refused}");
    assert!(refused.contains("a fallback to one router"), "{refused}");
    let plain = || Router::new().route("/plain", get(async || "plain"));
    let door = Door::open(by_path().merge_public(plain()).merge(Router::new()), &[]).await;
    let none = door.short("/a", host).await;
    assert!(none.contains("\"code\":\"not_found\""), "{none}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_names_two_tenants_is_refused() {
    let app = app()
        .resolver(SubdomainResolver::new("myapp.com"))
        .resolver(PathResolver::default())
        .resolver(HeaderResolver::default())
        .membership(Gateway);
    let door = Door::open(app, &[]).await;
    let a_host = "Host: acme-corp.myapp.com";
    let (a_header, b_header) = ("X-Tenant-ID: acme-corp", "X-Tenant-ID: globex");
    let refused = door.get("/me", &["Host: myapp.com"]).await;
    for (path, lines, tenant) in [
        ("/me", &[a_host][..], Some(A)),
        ("/me", &["Host: myapp.com", b_header], Some(B)),
        ("/me", &[a_host, a_header], Some(A)),
        ("/t/acme-corp/me", &[a_host, a_header], Some(A)),
        ("/me", &[a_host, b_header], None),
        ("/t/globex/me", &[a_host], None),
        ("/t/globex/me", &["Host: myapp.com", a_header], None),
        ("/t/acme-corp/me", &[a_host, b_header], None),
        ("/me", &[a_host, "X-Tenant-ID: !"], None),
    ] {
        let answer = door.get(path, lines).await;
        match tenant {
            Some(tenant) => assert!(answer.contains(tenant), "{path} {lines:?}: {answer}"),
            None => assert_eq!(answer, refused, "{path} {lines:?}"),
        }
    }
}

/// Who sends a request, as a layer that checks sessions leaves it.
#[derive(Clone)]
struct User(&'static str);

/// A user is a member of the tenant of its name.
struct Namesakes;

#[async_trait]
impl Membership for Namesakes {
    async fn admits(&self, request: &Parts, tenant: &TenantRecord) -> Result<bool> {
        let User(name) = request.extensions.get().ok_or(Error::InvalidToken)?;
        match *name {
            "operator" => Err(Error::NotAMember),
            name => Ok(name == tenant.slug.as_str()),
        }
    }
}

fn for_user(name: &'static str) -> App {
    app()
        .membership(Namesakes)
        .layer(axum::Extension(User(name)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_no_member_hears_what_there_is_to_hear_of_no_tenant() {
    let a = &["Host: x", "X-Tenant-ID: acme-corp"][..];
    let b = &["Host: x", "X-Tenant-ID: globex"][..];
    let nobody = &["Host: x", "X-Tenant-ID: unknown"][..];
    let door = Door::open(for_user(A), &[]).await;
    assert_eq!(door.short("/me", a).await, named(A, ""));
    let unknown = door.get("/me", nobody).await;
    assert!(unknown.contains("tenant_unresolved"), "{unknown}");
    assert_eq!(door.get("/me", b).await, unknown);
    assert_eq!(door.get("/maybe", b).await, unknown);
    // A member may know that its tenant is suspended; others may not.
    let provisioner = door.tenancy.provisioner();
    for slug in [A, B] {
        provisioner.suspend(&slug.parse().unwrap()).await.unwrap();
    }
    assert_eq!(door.get("/me", b).await, unknown);
    assert!(door.short("/me", a).await.starts_with("403 "));
    assert!(door.get("/me", a).await.contains("tenant_inactive"));

    let door = Door::open(for_user("operator"), &[]).await;
    assert!(door.get("/me", a).await.contains("not_a_member"));
    assert_eq!(door.get("/me", nobody).await, unknown);
    let door = Door::open(app().membership(Namesakes), &[]).await;
    let answer = door.get("/me", a).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.contains("www-authenticate: Bearer"), "{answer}");
    // The twin: without it, anybody acts for anybody.
    let anybody = app().membership(Gateway).layer(axum::Extension(User(A)));
    let door = Door::open(anybody, &[]).await;
    assert_eq!(door.short("/me", b).await, named(B, ""));
}

/// The key in `X-Key` is a tenant's own.
struct ByKey;

#[async_trait]
impl Resolver for ByKey {
    async fn resolve(&self, request: &Parts) -> Result<Option<Candidate>> {
        match request
            .headers
            .get("x-key")
            .map(axum::http::HeaderValue::as_bytes)
        {
            None => Ok(None),
            Some(b"secret-of-a") => Ok(Some(Candidate::proven(A.parse()?))),
            Some(_) => Err(Error::TenantUnresolved),
        }
    }

    fn proves_membership(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resolver_that_proves_needs_nobody_to_decide_and_lets_no_other_prove() {
    let both = || {
        app()
            .custom_resolver(ByKey)
            .resolver(HeaderResolver::default())
    };
    let door = Door::open(both(), &[]).await;
    let (key, header) = ("X-Key: secret-of-a", "X-Tenant-ID: acme-corp");
    assert_eq!(door.short("/me", &["Host: x", key]).await, named(A, ""));
    assert_eq!(
        door.short("/me", &["Host: x", key, header]).await,
        named(A, "")
    );
    let refused = door.get("/me", &["Host: x"]).await;
    for lines in [
        &["Host: x", header][..],
        &["Host: x", "X-Key: guess", header],
        &["Host: x", key, "X-Tenant-ID: globex"],
    ] {
        assert_eq!(door.get("/me", lines).await, refused, "{lines:?}");
    }
    // The twin: with a membership for the others the header is enough.
    let door = Door::open(both().membership(Gateway), &[]).await;
    assert_eq!(door.short("/me", &["Host: x", header]).await, named(A, ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_in_which_nobody_decides_does_not_start() {
    let start = async |app: App, vars: &[(&str, &str)]| {
        let vars = vars.iter().map(|&(n, v)| (n.to_owned(), v.to_owned()));
        let config = Config::from_vars(app.defaults(), vars).expect("a configuration");
        app.start(config)
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    };
    let refused = start(app(), &[]).await.unwrap_err();
    assert!(
        refused.contains("the resolver `header`: lets anybody name"),
        "{refused}"
    );
    assert!(refused.contains("membership = \"gateway\""), "{refused}");
    // A deployment cannot lead past a resolver that proves.
    let header = [("TENANCY_RESOLUTION_STRATEGY", "header")];
    assert!(start(app().custom_resolver(ByKey), &header).await.is_err());
    start(app().custom_resolver(ByKey), &[]).await.unwrap();
    start(app().membership(Gateway), &[]).await.unwrap();
    // Nobody is asked for a tenant here.
    start(App::new("public", "1.0.0").route::<health>(), &[])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_route_that_the_path_of_tenants_hides_is_named() {
    let refused = async |prefix: &str| {
        let app = app().route::<orders>().resolver(PathResolver::new(prefix));
        let app = app.membership(Gateway);
        let config = Config::from_vars(app.defaults(), []).expect("a configuration");
        app.start(config).await.map(drop)
    };
    let error = refused("/t").await.unwrap_err().to_string();
    assert!(error.contains("`/t/{tenant}/orders`"), "{error}");
    assert!(error.contains("never reached"), "{error}");
    refused("/tenants").await.expect("nothing is hidden");
}
