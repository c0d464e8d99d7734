//! Who comes in, and what those hear who do not.

use integration::database::Database;
use integration::http::{Served, raw};
use serde_json::json;
use tenancy::prelude::*;
use tenancy::{Isolation, Strategy};

use crate::{features, shop};

const A: &str = "acme-corp";
const B: &str = "globex";

async fn serve() -> (Database, Served) {
    let database = Database::empty().await;
    let a = NewTenant::new(A)
        .expect("a slug")
        .feature(features::exports);
    let app = shop::app(Isolation::single(Strategy::Rls))
        .seed_tenant(a)
        .seed(B);
    let shop = Served::start(app, &database, &[("TENANCY_POOL_SIZE", "4")]).await;
    (database, shop)
}

/// A request with these header lines.
fn request(path: &str, headers: &[&[u8]]) -> Vec<u8> {
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n");
    request.push_str("Accept: */*\r\n");
    let mut request = request.into_bytes();
    for header in headers {
        request.extend_from_slice(header);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_malformed_and_unknown_tenants_hear_the_same_bytes() {
    let (_database, shop) = serve().await;
    let missing = raw(shop.site.address, &request("/todos", &[])).await;
    let text = String::from_utf8_lossy(&missing).into_owned();
    assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
    assert!(text.contains("application/problem+json"), "{text}");
    assert!(text.contains(r#""code":"tenant_unresolved""#), "{text}");

    let long = [&b"X-Tenant-ID: "[..], &[b'a'; 64]].concat();
    let longest = [&b"X-Tenant-ID: "[..], &[b'a'; 63]].concat();
    let endless = [&b"X-Tenant-ID: "[..], &[b'a'; 10_000]].concat();
    let headers: &[&[&[u8]]] = &[
        // Unknown.
        &[b"X-Tenant-ID: initech"],
        &[&longest],
        &[b"X-Tenant-ID: 00000000-0000-0000-0000-000000000000"],
        // Malformed.
        &[b"X-Tenant-ID: "],
        &[b"X-Tenant-ID: ac"],
        &[&long],
        &[&endless],
        &[b"X-Tenant-ID: ACME-CORP"],
        &[b"X-Tenant-ID: Acme-Corp"],
        &[b"X-Tenant-ID: acme_corp"],
        &[b"X-Tenant-ID: -acme"],
        &[b"X-Tenant-ID: acme-corp/"],
        &[b"X-Tenant-ID: ../acme-corp"],
        &[b"X-Tenant-ID: acme%2dcorp"],
        &[b"X-Tenant-ID: acme-corp%0a"],
        &[b"X-Tenant-ID: acme-corp\xff"],
        &[b"X-Tenant-ID: \xc3\xa4cme-corp"],
        &["X-Tenant-ID: acme\u{2010}corp".as_bytes()],
        &[b"X-Tenant-ID: '; RESET ALL; --"],
        &[b"X-Tenant-ID: acme-corp' OR '1'='1"],
        &[b"X-Tenant-ID: acme-corp, globex"],
        // Twice, in one value or the other.
        &[b"X-Tenant-ID: acme-corp", b"X-Tenant-ID: globex"],
        &[b"X-Tenant-ID: acme-corp", b"x-tenant-id: acme-corp"],
        &[b"X-Tenant-ID: acme-corp", b"X-Tenant-ID: "],
        // Other names of the header.
        &[b"X-Tenant: acme-corp"],
        &[b"X-Forwarded-Tenant-ID: acme-corp"],
    ];
    for headers in headers {
        let answer = raw(shop.site.address, &request("/todos", headers)).await;
        let sent = headers.concat();
        let sent = String::from_utf8_lossy(&sent);
        assert_eq!(String::from_utf8_lossy(&answer), text, "{sent}");
    }
    // The twin: a tenant that exists is told apart, so the bytes could differ.
    let known = request("/todos", &[b"X-Tenant-ID: acme-corp"]);
    assert_ne!(raw(shop.site.address, &known).await, missing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_header_value_never_gets_to_the_door() {
    let (_database, shop) = serve().await;
    for value in [
        &b"X-Tenant-ID: acme-corp\0"[..],
        b"X-Tenant-ID: acme\0corp",
        b"X-Tenant-ID: acme-corp\x07",
        // A folded line: a newline and more of the value.
        b"X-Tenant-ID: acme-corp\r\n globex",
        b"X-Tenant-ID: acme-corp\r",
    ] {
        let answer = raw(shop.site.address, &request("/todos", &[value])).await;
        let answer = String::from_utf8_lossy(&answer);
        let sent = value.escape_ascii();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{sent}: {answer}");
        assert!(!answer.contains("[]"), "{sent}: {answer}");
    }
    // A bare newline is no part of a value but its end (RFC 9112, section 2.2).
    let newline = request("/me", &[b"X-Tenant-ID: acme-corp\nX-Other: globex"]);
    let answer = raw(shop.site.address, &newline).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("\"tenant\":\"acme-corp\""), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_without_a_tenant_takes_every_header() {
    let (_database, shop) = serve().await;
    for headers in [
        &[][..],
        &[&b"X-Tenant-ID: initech"[..]],
        &[b"X-Tenant-ID: \xff"],
    ] {
        let answer = raw(shop.site.address, &request("/health", headers)).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_optional_tenant_is_absent_or_right() {
    let (_database, shop) = serve().await;
    assert_eq!(shop.nobody().get("/whoami").await.json(200), json!(null));
    assert_eq!(shop.tenant(A).get("/whoami").await.json(200), json!(A));
    for wrong in ["initech", "Acme-Corp"] {
        let refused = shop.tenant(wrong).get("/whoami").await;
        assert_eq!(refused.problem(400), "tenant_unresolved");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_or_cannot_be_read_is_a_problem_response() {
    let (_database, shop) = serve().await;
    let (a, nobody) = (shop.tenant(A), shop.nobody());
    assert_eq!(nobody.get("/nowhere").await.problem(404), "not_found");
    assert_eq!(a.get("/todos/").await.problem(404), "not_found");
    assert_eq!(a.get("/todos/no-uuid").await.problem(404), "not_found");
    let refused = a.patch("/todos", json!({})).await;
    assert_eq!(refused.problem(405), "method_not_allowed");
    assert_eq!(refused.headers["allow"], "GET,HEAD,POST");
    for body in [
        json!({}),
        json!({"title": 1}),
        json!({"title": null}),
        json!("title"),
        json!([]),
        json!({"title": "a", "done": "yes"}),
        json!({"title": "a", "project_id": "none"}),
    ] {
        let refused = a.post("/todos", body.clone()).await;
        assert_eq!(refused.problem(422), "invalid_input", "{body}");
    }
    for (kind, body, status, code) in [
        ("application/json", "{\"title\": ", 422, "invalid_input"),
        ("application/json", "", 422, "invalid_input"),
        (
            "text/plain",
            "{\"title\": \"a\"}",
            415,
            "unsupported_media_type",
        ),
    ] {
        let headers = format!(
            "POST /todos HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nX-Tenant-ID: {A}\r\n\
             Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = raw(shop.site.address, headers.as_bytes()).await;
        let answer = String::from_utf8_lossy(&answer);
        let start = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&start), "{body}: {answer}");
        let code = format!("\"code\":\"{code}\"");
        assert!(answer.contains(&code), "{answer}");
    }
    assert_eq!(
        a.get("/todos").await.json(200),
        json!([]),
        "nothing was written"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feature_is_for_those_who_have_it() {
    let (database, shop) = serve().await;
    shop.tenant(A).get("/export").await.json(200);
    let refused = shop.tenant(B).get("/export").await;
    assert_eq!(refused.problem(403), "feature_unavailable");
    let detail = refused.json(403)["detail"].clone();
    assert_eq!(detail, "Feature 'exports' is not available on your plan");
    assert_eq!(
        shop.nobody().get("/export").await.problem(400),
        "tenant_unresolved"
    );
    // The twin: it is the stored feature that decides.
    database
        .sabotage("UPDATE tenancy.tenants SET features = '{exports}'")
        .await;
    shop.tenant(B).get("/export").await.json(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_tenant_stays_out_until_it_is_activated() {
    let (database, shop) = serve().await;
    let slug = A.parse().unwrap();
    let created = shop
        .tenant(A)
        .post("/todos", json!({"title": "kept"}))
        .await;
    created.json(201);
    shop.tenancy.provisioner().suspend(&slug).await.unwrap();
    for path in ["/todos", "/whoami", "/export"] {
        let refused = shop.tenant(A).get(path).await;
        assert_eq!(refused.problem(403), "tenant_inactive");
    }
    let refused = shop.tenancy.tenant(&slug).await;
    assert!(matches!(refused, Err(Error::TenantInactive)));
    shop.tenant(B).get("/todos").await.json(200);
    shop.tenancy.provisioner().activate(&slug).await.unwrap();
    let todos = shop.tenant(A).get("/todos").await.json(200);
    assert_eq!(todos[0]["title"], "kept");

    // What stands in the table and is no status keeps everybody out.
    let forged = "ALTER TABLE tenancy.tenants DROP CONSTRAINT IF EXISTS tenants_status_check; \
         UPDATE tenancy.tenants SET status = 'anything'";
    database.sabotage(forged).await;
    assert_eq!(shop.tenant(A).get("/todos").await.problem(500), "internal");
    let no_such = "initech".parse().unwrap();
    let missing = shop.tenancy.provisioner().suspend(&no_such).await;
    assert!(matches!(missing, Err(Error::NotFound)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_panics_is_a_500_and_nothing_it_did_stays() {
    let (_database, shop) = serve().await;
    // More often than the pool has connections.
    for _ in 0..10 {
        let answer = shop.tenant(A).post("/panic", json!({})).await;
        assert_eq!(answer.problem(500), "internal");
        assert!(!answer.text().contains("mistake"), "{}", answer.text());
    }
    assert_eq!(shop.tenant(A).get("/todos").await.json(200), json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_no_column_holds_is_the_caller_s_mistake() {
    let (database, shop) = serve().await;
    let a = shop.tenant(A);
    let long: String = std::iter::repeat_with(fastrand::alphanumeric)
        .take(20_000)
        .collect();
    for title in ["a\0b", long.as_str()] {
        let refused = a.post("/todos", json!({ "title": title })).await;
        assert_eq!(refused.problem(422), "invalid_input", "{}", refused.text());
    }
    a.post("/todos", json!({"title": "a"})).await.json(201);
    // A mistake of the application's own stays one.
    database
        .sabotage("ALTER TABLE shared.todos RENAME COLUMN title TO name")
        .await;
    assert_eq!(a.get("/todos").await.problem(500), "internal");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_s_name_is_one_that_people_can_read() {
    let (database, shop) = serve().await;
    let new = || NewTenant::new("initech").expect("a slug");
    for wrong in [
        new().name(""),
        new().name("  "),
        new().name("a\0b"),
        new().name("two\nlines"),
        new().name("x".repeat(201)),
        new().plan(""),
        new().feature("\u{7f}"),
    ] {
        let refused = shop.tenancy.provisioner().provision(wrong).await;
        assert_eq!(refused.unwrap_err().code(), "invalid_input");
    }
    let made = new().name("ä".repeat(200)).plan("gold");
    let made = shop.tenancy.provisioner().provision(made).await.unwrap();
    let slug = made.slug.clone();
    let (kept, _) = shop.tenancy.tenant(&slug).await.unwrap();
    assert_eq!(kept.record(), &made, "to the microsecond");
    drop(database);
}
