//! `quickstart`: a tenant in its own schema beside one behind row-level
//! security, in the embedded database and on a server.

use integration::database::Database;
use integration::process::{Served, Workplace};
use serde_json::{Value, json};

use super::{A, B, assert_one_refusal, assert_success, follow_hints, titles};

const TEMPORARY: [(&str, &str); 1] = [("TENANCY_EMBEDDED", "temporary")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tenants_keep_their_todos_in_the_database_inside() {
    let place = Workplace::new();
    let err = serve_twice(&place).await;
    assert!(err.contains("for development only"), "{err}");
    assert!(place.path().join(".tenancy/quickstart/.gitignore").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tenants_keep_their_todos_on_a_server() {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    let err = serve_twice(&place).await;
    assert!(!err.contains("embedded"), "{err}");
    assert!(!place.path().join(".tenancy").exists());
}

/// The whole of the example's API, and what is left of it for a second start.
async fn serve_twice(place: &Workplace) -> String {
    let app = place.serve("quickstart", &[]).await;
    assert_eq!(app.nobody().get("/health").await.text(), "ok");
    for (slug, strategy) in [(A, "schema"), (B, "rls")] {
        let me = app.tenant(slug).get("/me").await.json(200);
        assert_eq!(me, json!({"tenant": slug, "isolation_strategy": strategy}));
        write_todos(&app, slug).await;
    }
    assert_nothing_crosses(&app).await;
    assert_one_refusal(&app, "/me").await;
    let first = app.stop("TERM").await;
    assert_success(&first);

    let before = place.run("quickstart", &["tenants", "list"], &[]).await;
    assert_success(&before);
    let app = place.serve("quickstart", &[]).await;
    for slug in [A, B] {
        assert_eq!(titles(app.tenant(slug)).await, [format!("of {slug}")]);
    }
    assert_success(&app.stop("INT").await);
    // The same tenants with the same ids: nothing was seeded a second time.
    let after = place.run("quickstart", &["tenants", "list"], &[]).await;
    assert_eq!(after.out, before.out);
    assert_eq!(after.out.lines().count(), 3, "{}", after.out);
    first.err
}

fn path_of(todo: &Value) -> String {
    format!("/todos/{}", todo["id"].as_str().expect("an id"))
}

async fn write_todos(app: &Served, slug: &str) {
    let caller = app.tenant(slug);
    let new = |title: &str| json!({"title": title});
    let created = caller.post("/todos", new("first")).await.json(201);
    let path = path_of(&created);
    let title = format!("of {slug}");
    let changes = json!({"title": title, "done": true});
    let changed = caller.patch(&path, changes).await.json(200);
    assert_eq!(
        changed,
        json!({"id": created["id"], "title": title, "done": true})
    );
    let gone = caller.post("/todos", new("gone")).await.json(201);
    let path = path_of(&gone);
    assert_eq!(caller.delete(&path).await.status, 204);
    assert_eq!(caller.delete(&path).await.problem(404), "not_found");
    assert_eq!(titles(caller).await, [title]);
}

async fn assert_nothing_crosses(app: &Served) {
    for (own, other) in [(A, B), (B, A)] {
        let todos = app.tenant(own).get("/todos").await.json(200);
        let path = path_of(&todos[0]);
        let other = app.tenant(other);
        let changes = json!({"title": "taken"});
        assert_eq!(other.patch(&path, changes).await.problem(404), "not_found");
        assert_eq!(other.delete(&path).await.problem(404), "not_found");
        assert_eq!(app.tenant(own).get("/todos").await.json(200), todos);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_temporary_database_leaves_nothing_behind() {
    let place = Workplace::new();
    for _ in 0..2 {
        let app = place.serve("quickstart", &TEMPORARY).await;
        // The third hint posts a todo, and is the only one that a start knows.
        assert_eq!(follow_hints(&app).await, [200, 200, 201, 200]);
        assert_eq!(titles(app.tenant(A)).await, ["Ship it"]);
        assert!(titles(app.tenant(B)).await.is_empty());
        assert_success(&app.stop("TERM").await);
    }
    assert!(!place.path().join(".tenancy").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_is_refused_the_folder_of_the_first() {
    let place = Workplace::new();
    let first = place.serve("quickstart", &[]).await;
    let listen = [("TENANCY_LISTEN", "127.0.0.1:0")];
    for command in ["serve", "verify"] {
        let second = place.run("quickstart", &[command], &listen).await;
        assert_eq!(second.code, Some(1), "{second:?}");
        let said = "the folder `./.tenancy/quickstart` is in use by another embedded PostgreSQL";
        assert!(second.err.contains(said), "{}", second.err);
    }
    write_todos(&first, A).await;
    assert_success(&first.stop("TERM").await);

    // What a killed process held is free again, and whole.
    let killed = place.serve("quickstart", &[]).await;
    assert_eq!(killed.stop("KILL").await.code, None);
    let next = place.serve("quickstart", &[]).await;
    assert_eq!(titles(next.tenant(A)).await, [format!("of {A}")]);
    assert_success(&next.stop("TERM").await);
}
