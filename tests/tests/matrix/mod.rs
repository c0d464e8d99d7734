//! Every route of an application, called by one tenant with another's keys: of the
//! shop in every strategy, of all examples, and of applications with a hole each,
//! which must be found.

mod examples;
mod holes;

use integration::database::Database;
use serde_json::json;
use tenancy::testing::{Matrix, TestApp};
use tenancy::{App, Isolation, Strategy};

use crate::shop;

async fn start(app: App, database: &Database) -> TestApp {
    let app = TestApp::of(app)
        .var("TENANCY_DATABASE_URL", database.app_url())
        .var("TENANCY_OWNER_DATABASE_URL", database.owner_url());
    app.start().await.unwrap_or_else(|error| panic!("{error}"))
}

/// What the shop's routes want.
fn filled(matrix: Matrix) -> Matrix {
    matrix
        .body("POST /projects", |canary| json!({ "name": canary }))
        .body(
            "POST /todos",
            |canary| json!({ "title": canary, "project_id": null }),
        )
        .body("PATCH /todos/{id}", |canary| json!({ "title": canary }))
        .skip("GET /hold/{millis}", "takes a time and no key")
        .skip("POST /panic", "panics always")
        .skip("GET /export", "is on no plan of these tenants")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shop_keeps_every_route_apart_in_every_strategy() {
    for (isolation, strategies) in shop::isolations() {
        let database = Database::empty().await;
        let app = start(shop::app(isolation), &database).await;
        let (a, b) = (app.tenant().await.unwrap(), app.tenant().await.unwrap());
        let report = filled(app.matrix(&a, &b)).run().await;
        assert!(report.wrong().is_empty(), "{strategies:?}\n{report}");
        assert!(report.calls() > 15, "{report}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_tried_is_not_passed() {
    let database = Database::empty().await;
    let app = start(shop::app(Isolation::single(Strategy::Rls)), &database).await;
    let (a, b) = (app.tenant().await.unwrap(), app.tenant().await.unwrap());
    // Without a body nothing is made, and no key can be tried.
    let idle = app.matrix(&a, &b).run().await;
    for route in ["POST /todos", "GET /todos/{id}", "DELETE /todos/{id}"] {
        let said = format!("{route} is answered 2xx to nobody");
        assert!(
            idle.wrong().iter().any(|wrong| wrong.starts_with(&said)),
            "{idle}"
        );
    }
    // A tenant that is not let in proves nothing.
    let shut_out = app.nobody().unwrap();
    let alone = filled(app.matrix(&shut_out, &b)).run().await;
    let unlike = "GET /todos answers A 400 where B is answered 2xx";
    assert!(alone.wrong().iter().any(|wrong| wrong == unlike), "{alone}");
    let unseen = "GET /todos/{id} answers A 400 to what is a good request of B's";
    assert!(
        alone.wrong().iter().any(|wrong| wrong.starts_with(unseen)),
        "{alone}"
    );
    let misspelt = filled(app.matrix(&a, &b))
        .allow("GET /todo", "")
        .run()
        .await;
    for wrong in [
        "GET /todo: an exception needs a reason",
        "GET /todo: is none of the routes",
    ] {
        assert!(
            misspelt.wrong().iter().any(|said| said == wrong),
            "{misspelt}"
        );
    }
    app.stop().await;
}
