//! `schema-isolation`: registering a tenant makes its schema.

use integration::database::Database;
use integration::process::{Served, Workplace};
use serde_json::json;

use super::{A, B, assert_one_refusal, assert_success, follow_hints, titles};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registered_tenants_have_todos_of_their_own_in_the_database_inside() {
    register_and_write_and_start_again(&Workplace::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registered_tenants_have_todos_of_their_own_on_a_server() {
    let database = Database::empty().await;
    register_and_write_and_start_again(&Workplace::on(&database)).await;
    let schemas = "SELECT count(DISTINCT relnamespace) FROM pg_class WHERE relname = 'todos'";
    assert_eq!(database.value::<i64>(schemas).await, 2);
}

async fn register_and_write_and_start_again(place: &Workplace) {
    let app = place.serve("schema-isolation", &[]).await;
    assert_eq!(app.tenant(A).get("/todos").await.status, 400);
    assert_eq!(follow_hints(&app).await, [201, 201, 200]);
    assert_eq!(titles(app.tenant(A)).await, ["Deploy to production"]);

    let register = async |app: &Served, slug: &str| {
        let new = json!({"identifier": slug, "name": "Somebody"});
        app.nobody().post("/admin/tenants", new).await
    };
    let globex = register(&app, B).await.json(201);
    assert_eq!(
        (&globex["identifier"], &globex["isolation_strategy"]),
        (&json!(B), &json!("schema"))
    );
    assert_eq!(register(&app, B).await.problem(409), "conflict");
    for slug in ["", "a", "Acme Corp", "acme_corp"] {
        let refused = register(&app, slug).await;
        assert_eq!(refused.problem(422), "invalid_input", "{slug}");
    }

    assert!(titles(app.tenant(B)).await.is_empty());
    let todo = json!({"title": "of globex"});
    app.tenant(B).post("/todos", todo).await.json(201);
    assert_one_refusal(&app, "/todos").await;
    assert_success(&app.stop("TERM").await);

    let app = place.serve("schema-isolation", &[]).await;
    assert_eq!(titles(app.tenant(A)).await, ["Deploy to production"]);
    assert_eq!(titles(app.tenant(B)).await, ["of globex"]);
    assert_eq!(register(&app, A).await.problem(409), "conflict");
    assert_success(&app.stop("INT").await);
}
