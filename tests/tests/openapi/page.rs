//! The page in a browser that is real, with the policy that it is served with.

use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use integration::http::Served;
use integration::process::Workplace;
use tenancy::App;
use tenancy::openapi::OpenApi;
use tenancy::prelude::*;
use tokio::process::Command;

use super::{TEAPOT, program, run};

/// What the browser has made of a page, a while after it was loaded.
async fn dom(url: &str, place: &Workplace) -> (String, String) {
    let mut command = Command::new(program("TENANCY_TEST_CHROMIUM"));
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--enable-logging=stderr",
            "--virtual-time-budget=20000",
            "--dump-dom",
        ])
        .arg(format!(
            "--user-data-dir={}",
            place.path().join("browser").display()
        ))
        .arg(url);
    let loaded = tokio::time::timeout(Duration::from_secs(90), run(&mut command, place.path()));
    let (good, said) = loaded.await.expect("a page in time");
    assert!(good, "{said}");
    let dom = said.split_once("</html>").expect("a page");
    (dom.0.to_owned(), dom.1.to_owned())
}

/// Notes an idea.
#[tenant_handler(post, "/ideas", status = 202, tag = "ideas")]
async fn note(_tenant: Tenant, idea: Json<String>) -> (StatusCode, Json<String>) {
    (StatusCode::ACCEPTED, idea)
}

fn app(openapi: OpenApi) -> App {
    App::new("ideas", "1.0.0")
        .membership(tenancy::admit::Gateway)
        .route::<note>()
        .seed("acme-corp")
        .openapi(openapi)
}

async fn without_the_document(request: Request, next: Next) -> Response {
    if request.uri().path() == "/openapi.json" {
        return TEAPOT.into_response();
    }
    next.run(request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_shows_the_routes_and_asks_nobody_else() {
    let place = Workplace::new();
    let served = Served::in_memory(app(OpenApi::public().title("Ideas <1>")), &[]).await;
    let url = format!("http://{}/docs", served.site.address);
    let (dom, log) = dom(&url, &place).await;
    assert!(
        dom.contains("id=\"operations-ideas-openapi_page_note\""),
        "{dom}"
    );
    assert!(dom.contains("Notes an idea"), "{dom}");
    assert!(dom.contains("<title>Ideas &lt;1&gt;</title>"), "{dom}");
    // What the policy forbids is told in the browser's log.
    assert!(!log.contains("Content Security Policy"), "{log}");
    for elsewhere in ["src=\"http", "href=\"http://unpkg", "validator.swagger.io"] {
        assert!(!dom.contains(elsewhere), "{elsewhere} in {dom}");
    }

    // The twin: the same page without the description shows no route.
    let guard = OpenApi::behind(middleware::from_fn(without_the_document));
    let served = Served::in_memory(app(guard), &[]).await;
    let url = format!("http://{}/docs", served.site.address);
    let (dom, _) = self::dom(&url, &place).await;
    assert!(!dom.contains("openapi_page_note"), "{dom}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_read_is_said_by_name() {
    async fn nobody(_: Request, _: Next) -> Error {
        Error::NotFound
    }
    let paths = [
        "/docs",
        "/openapi.json",
        "/docs/swagger-ui.css",
        "/docs/start.js",
    ];
    let served = Served::in_memory(app(OpenApi::public()), &[]).await;
    for path in paths {
        let answer = served.nobody().get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(
            answer.headers["x-content-type-options"], "nosniff",
            "{path}"
        );
    }
    let page = served.nobody().get("/docs").await;
    let policy = page.headers["content-security-policy"]
        .to_str()
        .expect("text");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self';"),
        "{policy}"
    );
    let served = Served::in_memory(app(OpenApi::behind(middleware::from_fn(nobody))), &[]).await;
    for path in paths {
        let refused = served.nobody().get(path).await;
        assert_eq!(refused.problem(404), "not_found", "{path}");
    }
    // Without the option there is nothing.
    let silent = App::new("silent", "1.0.0");
    let served = Served::in_memory(silent, &[]).await;
    assert_eq!(served.nobody().get("/docs").await.problem(404), "not_found");
}
