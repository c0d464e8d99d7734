use std::time::Duration;

use axum::http::Method;
use integration::database::Database;
use integration::http::{Login, start};
use serde_json::json;
use tenancy::admin::OpenGuard;
use tenancy::config::Config;
use tenancy::testing::{Caller, Site};

use super::{A, B, app, open, send, trace};

const TENANTS: &str = "/admin/tenants";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_goes_through_its_life_and_leaves_a_trace_of_each_step() {
    let database = Database::empty().await;
    let shop = open(&database).await;
    let operator = shop.nobody();
    let new = json!({"identifier": B, "name": "Globex", "plan": "pro", "metadata": {"a": 1}});
    let made = operator.post(TENANTS, new.clone()).await;
    assert_eq!(made.headers["cache-control"], "no-store");
    let made = made.json(201);
    assert_eq!(made["identifier"], B);
    assert_eq!(made["isolation_strategy"], "schema");
    assert_eq!(made["metadata"], json!({"a": 1}));
    assert_eq!(operator.post(TENANTS, new).await.problem(409), "conflict");
    let path = |step: &str| format!("{TENANTS}/{B}{step}");
    assert_eq!(operator.get(&path("")).await.json(200), made);
    shop.tenant(B).get("/export").await;

    for (step, status, export) in [
        ("/suspend", "suspended", 403),
        ("/activate", "active", 200),
        ("/suspend", "suspended", 403),
    ] {
        let done = operator.post(&path(step), json!(null)).await.json(200);
        assert_eq!(done["status"], status);
        assert_eq!(shop.tenant(B).get("/export").await.status, export, "{step}");
    }
    // Data is removed only if the tenant is deleted, and named once more.
    let confirm = json!({ "confirm": B });
    let early = operator.post(&path("/destroy"), confirm.clone()).await;
    assert_eq!(early.problem(409), "conflict");
    let deleted = operator.delete(&path("")).await.json(200);
    assert_eq!(deleted["status"], "deleted");
    let restored = operator.post(&path("/restore"), json!(null)).await;
    assert_eq!(restored.json(200)["status"], "suspended");
    operator.delete(&path("")).await.json(200);
    for wrong in [
        json!({ "confirm": A }),
        json!({}),
        json!({"confirm": B, "now": true}),
    ] {
        let refused = operator.post(&path("/destroy"), wrong).await;
        assert_eq!(refused.problem(422), "invalid_input");
    }
    let before = trace(&database).await;
    let receipt = operator.post(&path("/destroy"), confirm).await.json(200);
    assert_eq!(receipt["identifier"], B);
    assert_eq!(operator.get(&path("")).await.problem(404), "not_found");

    let steps: Vec<(&str, &str, &str)> = before
        .iter()
        .map(|[event, actor, reason, tenant]| {
            assert_eq!(actor, "anybody");
            (&**event, &**reason, &**tenant)
        })
        .collect();
    assert_eq!(
        &steps[..6],
        [
            ("begun", "admin: create globex", "-"),
            ("done", "admin: create globex", B),
            ("begun", "admin: create globex", "-"),
            ("failed", "admin: create globex", "-"),
            ("begun", "admin: suspend globex", B),
            ("done", "admin: suspend globex", B),
        ]
    );
    assert!(steps.contains(&("failed", "admin: destroy globex", B)));
    assert!(steps.contains(&("done", "admin: restore globex", B)));
}

/// Whoever asked has left, and the process is told to stop in the midst of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_what_operators_have_begun() {
    let database = Database::empty().await;
    let app = app(OpenGuard::default());
    let vars = [
        ("TENANCY_DATABASE_URL", database.app_url()),
        ("TENANCY_OWNER_DATABASE_URL", database.owner_url()),
    ];
    let vars = vars.map(|(name, value)| (name.to_owned(), value));
    let config = Config::from_vars(app.defaults(), vars).unwrap();
    let (tenancy, router) = app.start(config).await.unwrap();
    let operator = Caller::new("operator", Site::of(router), |request| {
        request.headers.insert("host", "localhost".parse().unwrap());
    });
    let holder = database.raw_superuser().await;
    let hold = "BEGIN; SELECT FROM tenancy.tenants WHERE slug = 'acme-corp' FOR UPDATE";
    holder.batch_execute(hold).await.unwrap();
    let path = format!("{TENANTS}/bulk-suspend");
    let asked = operator.post(&path, json!([A]));
    let asked = tokio::time::timeout(Duration::from_secs(1), asked).await;
    assert!(asked.is_err(), "it was not held up");
    drop(operator);
    assert_eq!(trace(&database).await.len(), 1);
    let free = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        holder.batch_execute("COMMIT").await.unwrap();
    });
    tenancy.stop().await.unwrap();
    let events = trace(&database).await.into_iter().map(|[event, ..]| event);
    assert_eq!(events.collect::<Vec<_>>(), ["begun", "done"]);
    free.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_recorded_is_not_done() {
    let database = Database::empty().await;
    let shop = open(&database).await;
    let suspend = format!("{TENANTS}/{A}/suspend");
    database
        .sabotage("CREATE RULE gone AS ON INSERT TO tenancy.system_access DO INSTEAD NOTHING")
        .await;
    let refused = shop.nobody().post(&suspend, json!(null)).await;
    assert_eq!(refused.problem(500), "internal");
    let kept = shop.nobody().get(&format!("{TENANTS}/{A}")).await.json(200);
    assert_eq!(kept["status"], "active");
    // The twin: it is the trail that held it up.
    database
        .sabotage("DROP RULE gone ON tenancy.system_access")
        .await;
    let done = shop.nobody().post(&suspend, json!(null)).await.json(200);
    assert_eq!(done["status"], "suspended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn name_plan_metadata_and_exceptions_change_at_once_or_not_at_all() {
    let database = Database::empty().await;
    let shop = open(&database).await;
    let path = format!("{TENANTS}/{A}");
    let operator = shop.nobody();
    assert_eq!(shop.tenant(A).get("/export").await.status, 403);
    let update = json!({
        "name": "Acme", "metadata": {"theme": "dark"},
        "overrides": {"exports": {"granted": true, "until": "2999-01-01T00:00:00Z"}},
    });
    let changed = operator.patch(&path, update).await.json(200);
    assert_eq!(changed["name"], "Acme");
    assert_eq!(changed["metadata"]["theme"], "dark");
    assert_eq!(shop.tenant(A).get("/export").await.status, 200);
    let reset = operator
        .patch(&path, json!({"overrides": {"exports": null}}))
        .await;
    assert_eq!(reset.json(200)["overrides"], json!({}));
    assert_eq!(shop.tenant(A).get("/export").await.status, 403);
    for wrong in [
        json!({}),
        json!({"name": "Other", "plan": "enterprize"}),
        json!({"name": "Other", "overrides": {"export": {"granted": true}}}),
        json!({"name": "Other", "plan": null}),
        json!({"name": "Other", "status": "active"}),
        json!({"name": "Other", "metadata": 7}),
    ] {
        let refused = operator.patch(&path, wrong.clone()).await;
        assert_eq!(refused.problem(422), "invalid_input", "{wrong}");
    }
    let shown = operator.get(&path).await.json(200);
    assert_eq!(shown["name"], "Acme");

    // The plan's limits change with it.
    let usage = format!("{path}/usage");
    let used = operator.get(&usage).await.json(200);
    assert_eq!(used["plan"], "starter");
    assert_eq!(used["quotas"], json!({"users": {"used": 0, "limit": 2}}));
    assert_eq!(used["tables"], json!(null));
    shop.tenant(A)
        .post("/users", json!({"name": "ada"}))
        .await
        .json(201);
    operator
        .patch(&path, json!({"plan": "pro"}))
        .await
        .json(200);
    let used = operator.get(&usage).await.json(200);
    assert_eq!(used["plan"], "pro");
    assert_eq!(used["quotas"], json!({"users": {"used": 1, "limit": null}}));
    let nobody = operator.get(&format!("{TENANTS}/nobody/usage")).await;
    assert_eq!(nobody.problem(404), "not_found");
    // Who has tables of its own is told what they take.
    let new = json!({"identifier": B, "plan": "pro"});
    operator.post(TENANTS, new).await.json(201);
    let used = operator
        .get(&format!("{TENANTS}/{B}/usage"))
        .await
        .json(200);
    assert!(
        used["tables"]["users"]["bytes"]
            .as_i64()
            .is_some_and(|bytes| bytes > 0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_of_isolation_is_one_of_the_application_s() {
    let database = Database::empty().await;
    let shop = open(&database).await;
    let operator = shop.nobody();
    let new = json!({"identifier": B, "isolation": "database"});
    let refused = operator.post(TENANTS, new).await;
    assert_eq!(refused.problem(422), "invalid_input");
    assert!(
        refused.text().contains("only `schema` and `rls`"),
        "{}",
        refused.text()
    );
    let new = json!({"identifier": B, "isolation_strategy": "schema"});
    let made = operator.post(TENANTS, new).await.json(201);
    assert_eq!(made["isolation_strategy"], "schema");
    // What could be reached under its own name by no route is not made.
    let new = json!({"identifier": "bulk-suspend"});
    assert_eq!(
        operator.post(TENANTS, new).await.problem(422),
        "invalid_input"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_each_has_an_outcome_of_its_own() {
    let database = Database::empty().await;
    let shop = open(&database).await;
    let operator = shop.nobody();
    operator
        .post(TENANTS, json!({"identifier": B}))
        .await
        .json(201);
    operator.delete(&format!("{TENANTS}/{B}")).await.json(200);
    let all = json!([A, "nobody", B, "No Slug", A]);
    let before = trace(&database).await.len();
    let done = operator
        .post(&format!("{TENANTS}/bulk-suspend"), all)
        .await
        .json(200);
    assert_eq!(
        (&done["succeeded"], &done["failed"]),
        (&json!(2), &json!(3))
    );
    let results = done["results"].as_array().expect("a list");
    let outcomes: Vec<_> = results
        .iter()
        .map(|one| {
            (
                one["identifier"].as_str(),
                one["status"].as_str(),
                one["code"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        outcomes,
        [
            (Some(A), Some("suspended"), None),
            (Some("nobody"), None, Some("not_found")),
            (Some(B), None, Some("conflict")),
            (Some("No Slug"), None, Some("invalid_input")),
            (Some(A), Some("suspended"), None),
        ]
    );
    assert_eq!(results[1]["detail"], "there is no tenant `nobody`");
    // Who is named twice is seen to once; who is not there leaves nothing.
    assert_eq!(trace(&database).await.len() - before, 4);
    assert_eq!(
        shop.tenant(A).get("/export").await.problem(403),
        "tenant_inactive"
    );
    let activate = format!("{TENANTS}/bulk-activate");
    let done = operator.post(&activate, json!([A])).await.json(200);
    assert_eq!(done["results"][0]["status"], "active");
    let many: Vec<_> = (0..501).map(|number| format!("t-{number}")).collect();
    for wrong in [json!([]), json!(many), json!({"all": true}), json!([7])] {
        let refused = operator.post(&activate, wrong).await;
        assert_eq!(refused.problem(422), "invalid_input");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trail_is_read_page_by_page_and_that_leaves_a_trace() {
    let database = Database::empty().await;
    let shop = open(&database).await;
    for name in ["ada", "bob"] {
        shop.tenant(A)
            .post("/users", json!({ "name": name }))
            .await
            .json(201);
    }
    let path = format!("{TENANTS}/{A}/audit");
    // A suspended tenant's as well.
    shop.nobody()
        .post(&format!("{TENANTS}/{A}/suspend"), json!(null))
        .await
        .json(200);
    let mut seen = Vec::new();
    let mut next = String::new();
    loop {
        let page = shop
            .nobody()
            .get(&format!("{path}?limit=3{next}"))
            .await
            .json(200);
        let entries = page["entries"].as_array().expect("a list");
        seen.extend(entries.iter().map(|entry| entry["outcome"].clone()));
        match page["next"].as_str() {
            Some(id) => next = format!("&before={id}"),
            None => break,
        }
    }
    assert_eq!(
        seen,
        [json!("done"), json!("begun"), json!("done"), json!("begun")]
    );
    let traces = trace(&database).await;
    let [event, _, reason, tenant] = traces.last().expect("a trace");
    assert_eq!(
        (&**event, &**reason, &**tenant),
        ("done", "admin: read the trail of acme-corp", A)
    );
    for wrong in ["limit=0", "limit=201", "before=x", "after=x"] {
        let refused = shop.nobody().get(&format!("{path}?{wrong}")).await;
        assert_eq!(refused.problem(422), "invalid_input", "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_owner_s_login_nothing_changes_and_the_answer_says_why() {
    let database = Database::empty().await;
    drop(open(&database).await);
    let started = start(app(OpenGuard::default()), &database, Login::App, &[]).await;
    let shop = started.unwrap_or_else(|error| panic!("{error}"));
    let operator = shop.nobody();
    assert_eq!(operator.get(&format!("{TENANTS}/{A}")).await.status, 200);
    for (path, body) in [
        (TENANTS.to_owned(), json!({"identifier": B})),
        (format!("{TENANTS}/{A}/suspend"), json!(null)),
        (format!("{TENANTS}/bulk-suspend"), json!([A])),
    ] {
        let refused = operator.post(&path, body).await;
        assert_eq!(refused.problem(501), "read_only", "{path}");
        assert!(
            refused.text().contains("TENANCY_OWNER_DATABASE_URL"),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_finished_when_its_caller_has_left() {
    let database = Database::empty().await;
    let shop = open(&database).await;
    // Keeps the change from being made, until its caller has left.
    database
        .superuser
        .batch_execute("BEGIN; SELECT FROM tenancy.tenants FOR UPDATE")
        .await
        .expect("the lock");
    let suspend = format!("{TENANTS}/{A}/suspend");
    let left = tokio::time::timeout(
        std::time::Duration::from_secs(2),
        send(&shop, Method::POST, &suspend, &[], ""),
    );
    assert!(left.await.is_err());
    database
        .superuser
        .batch_execute("COMMIT")
        .await
        .expect("no lock");
    for _ in 0..500 {
        let traces = trace(&database).await;
        if traces.last().is_some_and(|[event, ..]| event == "done") {
            assert_eq!(
                shop.tenant(A).get("/export").await.problem(403),
                "tenant_inactive"
            );
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("never finished");
}
