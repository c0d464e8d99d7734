use axum::http::Method;
use axum::http::request::Parts;
use integration::database::Database;
use integration::http::{Served, raw};
use serde_json::json;
use tenancy::admin::{OpenGuard, Operator, OperatorGuard, TokenGuard};
use tenancy::admit::Gateway;
use tenancy::async_trait;
use tenancy::config::Config;
use tenancy::prelude::*;
use tenancy::resolve::{PathResolver, SubdomainResolver};

use super::{A, B, send};

const TENANTS: &str = "/admin/tenants";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn in_memory(guard: impl OperatorGuard) -> App {
    App::new("memory", "1.0.0")
        .membership(Gateway)
        .admin(guard)
        .seed(A)
}

/// What stands in the way of a start with these variables.
async fn refused(app: App, vars: &[(&str, &str)]) -> String {
    let vars = vars.iter().map(|&(n, v)| (n.to_owned(), v.to_owned()));
    let config = Config::from_vars(app.defaults(), vars);
    let started = match config {
        Ok(config) => app.start(config).await,
        Err(problems) => Err(Error::CannotStart(problems)),
    };
    started.expect_err("no start").to_string()
}

#[tokio::test]
async fn without_a_guard_there_are_no_routes() {
    let app = || App::new("memory", "1.0.0").membership(Gateway).seed(A);
    let shop = Served::in_memory(app(), &[]).await;
    for path in [TENANTS, "/admin/tenants/acme-corp"] {
        assert_eq!(shop.nobody().get(path).await.problem(404), "not_found");
    }
    let told = refused(app(), &[("TENANCY_ADMIN_TOKEN", TOKEN)]).await;
    assert!(told.contains("no operators' routes"), "{told}");
    // The twin: with one there are.
    let shop = Served::in_memory(in_memory(OpenGuard::default()), &[]).await;
    shop.nobody().get(TENANTS).await.json(200);
    assert_eq!(
        shop.nobody()
            .get("/admin/tenants/nobody")
            .await
            .problem(404),
        "not_found"
    );
    // There is no trail in a database that is none.
    let audit = shop.nobody().get("/admin/tenants/acme-corp/audit").await;
    assert_eq!(audit.problem(404), "not_found");
}

#[tokio::test]
async fn a_token_opens_and_nothing_like_it_does() {
    let vars = [("TENANCY_ADMIN_TOKEN", TOKEN)];
    let shop = Served::in_memory(in_memory(TokenGuard::default()), &vars).await;
    let bearer = format!("Bearer {TOKEN}");
    let right = [("authorization", &*bearer)];
    send(&shop, Method::GET, TENANTS, &right, "")
        .await
        .json(200);
    let nothing = send(&shop, Method::GET, TENANTS, &[], "").await;
    assert_eq!(nothing.problem(401), "invalid_token");
    assert!(nothing.headers.contains_key("www-authenticate"));
    let longer = format!("{bearer}0");
    let short = &bearer[..bearer.len() - 1];
    for value in [&*longer, short, "Bearer ", "Bearer", TOKEN, "Basic 0123"] {
        for (method, path, body) in [
            (Method::GET, TENANTS, ""),
            (Method::GET, "/admin/tenants/acme-corp", ""),
            (Method::GET, "/admin/tenants/nobody", ""),
            (Method::POST, TENANTS, "no JSON"),
            (Method::DELETE, "/admin/tenants/acme-corp", ""),
        ] {
            let refused = send(&shop, method, path, &[("authorization", value)], body).await;
            // Nothing tells what is there, nor how wrong the token is.
            assert_eq!(refused.status, 401, "{value} {path}");
            assert_eq!(refused.body, nothing.body);
        }
    }
    // A tenant's name opens nothing, and neither does a token in two headers.
    let twice = [("authorization", &*bearer), ("authorization", &*bearer)];
    assert_eq!(
        send(&shop, Method::GET, TENANTS, &twice, "").await.status,
        401
    );
    assert_eq!(shop.tenant(A).get(TENANTS).await.status, 401);
    assert_eq!(
        shop.tenant(A).get("/admin/tenants/acme-corp").await.status,
        401
    );
}

#[tokio::test]
async fn a_guard_that_lacks_what_it_needs_does_not_start() {
    let token = || in_memory(TokenGuard::default());
    let told = refused(token(), &[]).await;
    assert!(told.contains("TENANCY_ADMIN_TOKEN: is not set"), "{told}");
    for (value, why) in [
        (&TOKEN[1..], "can be guessed"),
        ("0123456789abcdef 0123456789abcdef", "no header carries"),
        ("", "empty"),
    ] {
        let told = refused(token(), &[("TENANCY_ADMIN_TOKEN", value)]).await;
        assert!(told.contains(why), "{told}");
        assert!(value.is_empty() || !told.contains(value), "{told}");
    }
    // One that the application gives itself is no shorter.
    for (given, why) in [(&TOKEN[1..], "can be guessed"), ("", "can be guessed")] {
        let told = refused(in_memory(TokenGuard::new(given)), &[]).await;
        assert!(told.contains(why), "{told}");
    }
    // Open to others, or with a token that nobody would ask for.
    let elsewhere = ("TENANCY_LISTEN", "0.0.0.0:8000");
    let vars = [elsewhere, ("TENANCY_ADMIN_TOKEN", TOKEN)];
    let told = refused(in_memory(OpenGuard::default()), &vars).await;
    assert!(
        told.contains("everybody who reaches 0.0.0.0:8000"),
        "{told}"
    );
    assert!(told.contains("asks for no token"), "{told}");
    // The twin: named twice it is open.
    let vars = [elsewhere, ("TENANCY_ADMIN_OPEN", "true")];
    let shop = Served::in_memory(in_memory(OpenGuard::default()), &vars).await;
    shop.nobody().get(TENANTS).await.json(200);
}

#[tokio::test]
async fn a_page_of_another_site_reaches_nothing() {
    let shop = Served::in_memory(in_memory(OpenGuard::default()), &[]).await;
    let body = json!({ "identifier": B }).to_string();
    let site = format!("http://{}", shop.site.address);
    let form = ("content-type", "text/plain");
    for foreign in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.com"),
        ("origin", "null"),
    ] {
        for (method, path) in [
            (Method::POST, TENANTS),
            (Method::GET, "/admin/tenants/acme-corp"),
        ] {
            let refused = send(&shop, method, path, &[form, foreign], &body).await;
            assert_eq!(refused.problem(403), "cross_site", "{foreign:?}");
        }
    }
    // A page that has led its own name here is of one site with us, and named.
    let rebound = [
        "Host: evil.com:8000\r\nOrigin: http://evil.com:8000",
        "Host: evil.com",
    ];
    for headers in rebound {
        let request = format!("GET {TENANTS} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n\r\n");
        let answer = raw(shop.site.address, request.as_bytes()).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    }
    assert_eq!(
        shop.nobody().get(&format!("{TENANTS}/{B}")).await.status,
        404
    );
    // The twin: what the same browser sends for our own page gets through.
    let ours = [form, ("origin", &*site), ("sec-fetch-site", "same-origin")];
    send(&shop, Method::POST, TENANTS, &ours, &body)
        .await
        .json(201);
    let ours = [form, ("origin", &*site)];
    let again = send(&shop, Method::POST, TENANTS, &ours, &body).await;
    assert_eq!(again.problem(409), "conflict");
}

#[tokio::test]
async fn a_body_is_json_whatever_it_is_called_and_not_without_end() {
    let shop = Served::in_memory(in_memory(OpenGuard::default()), &[]).await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let page = r#"{"identifier": "free-user", "name": "Free", "plan": "starter"}"#;
    let made = send(&shop, Method::POST, TENANTS, &form, page)
        .await
        .json(201);
    assert_eq!(made["plan"], "starter");
    send(&shop, Method::POST, TENANTS, &[], r#"{"slug": "globex"}"#)
        .await
        .json(201);
    for wrong in [
        "identifier=free-user",
        "",
        r#"{"identifier": "x"}"#,
        r#"{"name": "x"}"#,
    ] {
        let refused = send(&shop, Method::POST, TENANTS, &form, wrong).await;
        assert_eq!(refused.problem(422), "invalid_input", "{wrong}");
    }
    let unknown = r#"{"identifier": "initech", "owner": "ada"}"#;
    assert_eq!(
        send(&shop, Method::POST, TENANTS, &form, unknown)
            .await
            .status,
        422
    );
    let long = format!(
        r#"{{"identifier": "initech", "name": "{}"}}"#,
        "x".repeat(256 * 1024)
    );
    let refused = send(&shop, Method::POST, TENANTS, &form, &long).await;
    assert_eq!(refused.problem(413), "payload_too_large");
    // The others take what is called JSON.
    let bulk = "/admin/tenants/bulk-suspend";
    let refused = send(&shop, Method::POST, bulk, &form, r#"["free-user"]"#).await;
    assert_eq!(refused.problem(415), "unsupported_media_type");
}

#[tokio::test]
async fn below_a_tenant_s_path_there_are_no_operators() {
    let app = |prefix: &str| in_memory(OpenGuard::default()).resolver(PathResolver::new(prefix));
    let shop = Served::in_memory(app("/t"), &[]).await;
    let below = format!("/t/{A}/admin/tenants");
    assert_eq!(shop.nobody().get(&below).await.problem(404), "not_found");
    shop.nobody().get(TENANTS).await.json(200);
    let told = refused(app("/admin"), &[]).await;
    assert!(told.contains("are never reached"), "{told}");
}

#[tokio::test]
async fn on_a_tenant_s_host_there_are_no_operators() {
    let statuses = async |app: App, hosts: &[&str]| {
        let shop = Served::in_memory(app, &[]).await;
        let mut statuses = Vec::new();
        for host in hosts {
            let head = format!(
                "GET {TENANTS} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n\
                 Sec-Fetch-Site: same-origin\r\nConnection: close\r\n\r\n"
            );
            let answer = raw(shop.site.address, head.as_bytes()).await;
            let answer = String::from_utf8_lossy(&answer).into_owned();
            statuses.push(answer["HTTP/1.1 ".len()..][..3].to_owned());
        }
        statuses
    };
    let by_host =
        || in_memory(TokenGuard::new(TOKEN)).resolver(SubdomainResolver::new(".myapp.com"));
    // Whether there is such a tenant is nobody's to find out here.
    let tenants = [
        "acme-corp.myapp.com",
        "ACME-Corp.myapp.com.:8000",
        "unknown.myapp.com",
        "a.acme-corp.myapp.com",
    ];
    assert_eq!(statuses(by_host(), &tenants).await, ["404"; 4]);
    let ours = [
        "myapp.com",
        "127.0.0.1",
        "localhost:8000",
        "ops.example.org",
    ];
    assert_eq!(statuses(by_host(), &ours).await, ["200"; 4]);
    // The twin: where hosts say nothing of tenants, the same page gets through.
    let by_header = in_memory(TokenGuard::new(TOKEN));
    assert_eq!(statuses(by_header, &tenants).await, ["200"; 4]);
}

#[tokio::test]
async fn what_a_proxy_hands_on_is_not_for_everybody() {
    let handed_on = [
        ("forwarded", "for=192.0.2.7"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-host", "localhost"),
        ("x-forwarded-proto", "https"),
        ("x-real-ip", "127.0.0.1"),
        ("via", "1.1 proxy"),
    ];
    let shop = Served::in_memory(in_memory(OpenGuard::default()), &[]).await;
    for header in handed_on {
        for method in [Method::GET, Method::POST] {
            let refused = send(&shop, method, TENANTS, &[header], "").await;
            assert_eq!(refused.problem(403), "not_an_operator", "{header:?}");
        }
    }
    shop.nobody().get(TENANTS).await.json(200);
    let proxies = ("TENANCY_TRUSTED_PROXIES", "127.0.0.1");
    let by_host = || in_memory(OpenGuard::default()).resolver(SubdomainResolver::new(".myapp.com"));
    let told = refused(by_host(), &[proxies]).await;
    assert!(told.contains("TENANCY_TRUSTED_PROXIES"), "{told}");
    // The twin: named twice it is open, to those behind a proxy as well.
    let vars = [proxies, ("TENANCY_ADMIN_OPEN", "true")];
    let shop = Served::in_memory(by_host(), &vars).await;
    for header in &handed_on[1..] {
        send(&shop, Method::GET, TENANTS, &[*header], "")
            .await
            .json(200);
    }
}

/// Knows one operator by a header, and fails for one name.
struct Desk;

#[async_trait]
impl OperatorGuard for Desk {
    async fn operator(&self, request: &Parts) -> Result<Operator> {
        let name = request.headers.get("x-operator");
        match name.and_then(|name| name.to_str().ok()) {
            Some("broken") => Err(Error::unavailable("the directory is away")),
            Some("panics") => panic!("the guard has a mistake"),
            Some("guest") => Err(Error::NotAnOperator),
            Some(name) => Operator::new(name),
            None => Err(Error::InvalidToken),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_of_the_application_s_own_names_who_did_it_and_errs_on_the_safe_side() {
    let database = Database::empty().await;
    let shop = Served::start(super::app(Desk), &database, &[]).await;
    let suspend = format!("{TENANTS}/{A}/suspend");
    for (name, status) in [("broken", 503), ("panics", 500), ("guest", 403), (" ", 422)] {
        let headers = [("x-operator", name)];
        let refused = send(&shop, Method::POST, &suspend, &headers, "").await;
        assert_eq!(refused.status, status, "{name}");
    }
    assert_eq!(
        send(&shop, Method::POST, &suspend, &[], "").await.status,
        401
    );
    assert!(super::trace(&database).await.is_empty());
    // The twin: who is let through is the actor.
    let ada = [("x-operator", "ada")];
    let done = send(&shop, Method::POST, &suspend, &ada, "")
        .await
        .json(200);
    assert_eq!(done["status"], "suspended");
    let traces = super::trace(&database).await;
    assert!(
        traces.iter().all(|[_, actor, ..]| actor == "ada"),
        "{traces:?}"
    );
}

#[tokio::test]
async fn who_is_refused_is_answered_before_the_body_is_read() {
    let shop = Served::in_memory(in_memory(TokenGuard::new(TOKEN)), &[]).await;
    // A body that is promised and never sent.
    let head = format!(
        "POST {TENANTS} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 99\r\n"
    );
    let refused = raw(shop.site.address, format!("{head}\r\n").as_bytes()).await;
    assert!(refused.starts_with(b"HTTP/1.1 401"), "{refused:?}");
    // The twin: who is let through is waited for.
    let head = format!("{head}Authorization: Bearer {TOKEN}\r\n\r\n");
    let waits = raw(shop.site.address, head.as_bytes());
    let waited = tokio::time::timeout(std::time::Duration::from_secs(2), waits).await;
    assert!(waited.is_err(), "{waited:?}");
}
