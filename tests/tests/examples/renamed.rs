//! `renamed`: an application that depends on `tenancy` by another name.

use integration::database::Database;
use integration::process::{Served, Workplace};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{A, B, assert_success, follow_hints};

async fn send(
    app: &Served,
    slug: &str,
    (method, path): (Method, &str),
    body: Option<Value>,
) -> (StatusCode, Value) {
    let url = format!("http://{}{path}", app.address);
    let mut request = reqwest::Client::new().request(method, url);
    request = request.header("X-Library", slug);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.expect("an answer");
    (response.status(), response.json().await.expect("JSON"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_macro_finds_the_crate_under_another_name() {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    let app = place.serve("renamed", &[]).await;
    assert_eq!(follow_hints(&app).await, [200]);
    assert_eq!(app.nobody().get("/health").await.text(), "ok");
    for slug in [A, B] {
        let whoami = send(&app, slug, (Method::GET, "/whoami"), None).await;
        assert_eq!(whoami, (StatusCode::OK, json!(slug)));

        let new = json!({"title": "Emma", "written": 1814});
        let (status, book) = send(&app, slug, (Method::POST, "/books"), Some(new)).await;
        assert_eq!(status, StatusCode::CREATED, "{book}");
        let path = format!("/books/{}", book["id"].as_str().unwrap());
        let changes = Some(json!({"written": 1815}));
        let (status, book) = send(&app, slug, (Method::PATCH, &path), changes).await;
        assert_eq!((status, &book["written"]), (StatusCode::OK, &json!(1815)));
    }
    let titles = (Method::GET, "/titles");
    let seen = send(&app, A, titles.clone(), None).await;
    assert_eq!(seen, (StatusCode::OK, json!(["Emma"])));
    let (status, problem) = send(&app, B, titles, None).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::FORBIDDEN, &json!("feature_unavailable"))
    );
    assert_success(&app.stop("TERM").await);
}
