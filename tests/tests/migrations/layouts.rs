//! One text, one set of handlers, every layout.

use integration::database::Database;
use integration::http::{Caller, Served};
use serde_json::json;
use tenancy::{Isolation, Strategy};

use super::{FOLDER, app, verified};
use crate::shop;

async fn list(caller: Caller<'_>, name: &str) -> i64 {
    let list = caller.post("/lists", json!({ "name": name })).await;
    list.json(201)["id"].as_i64().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_layout_serves_what_one_text_made() {
    for (isolation, _) in shop::isolations() {
        let database = Database::empty().await;
        let app = app(isolation, FOLDER).seed("acme-corp").seed("globex");
        let served = Served::start(app, &database, &[]).await;
        database
            .sabotage("INSERT INTO shared.countries VALUES ('IT', 'Italy')")
            .await;
        // Copies them to databases of tenants' own.
        served.tenancy.migrate().await.unwrap();
        let (a, b) = (served.tenant("acme-corp"), served.tenant("globex"));
        let (of_a, of_b) = (list(a, "launch").await, list(b, "launch").await);

        // Unique for the tenant, and for it alone.
        let again = a.post("/lists", json!({"name": "launch"})).await;
        assert_eq!(again.problem(409), "conflict");
        let found = a.patch("/lists", json!({"name": "launch"})).await.json(200);
        assert_eq!(found["id"], of_a);
        let task = |list: i64| json!({"title": "ship", "list_id": list, "country": "IT"});
        let first = a.post("/tasks", task(of_a)).await.json(201);
        assert_eq!(a.post("/tasks", task(of_a)).await.problem(409), "conflict");
        b.post("/tasks", task(of_b)).await.json(201);
        // The unique index over an expression.
        for caller in [a, b] {
            caller
                .post("/tasks", json!({"title": "Rest"}))
                .await
                .json(201);
            let same = caller.post("/tasks", json!({"title": "REST"})).await;
            assert_eq!(same.problem(409), "conflict");
        }

        // Nobody refers to what another has.
        let theirs = list(b, "theirs").await;
        let theirs = a.post("/tasks", task(theirs)).await;
        assert_eq!(theirs.problem(409), "conflict");
        let abroad = json!({"title": "x", "country": "XX"});
        assert_eq!(a.post("/tasks", abroad).await.problem(409), "conflict");

        // What follows a row outlives it, and stays with its tenant.
        let next = json!({"title": "sleep", "follows": first["id"]});
        let next = a.post("/tasks", next).await.json(201);
        assert_eq!(a.get("/plan").await.json(200), json!([["launch", "ship"]]));
        assert_eq!(a.delete(&format!("/lists/{of_a}")).await.status, 204);
        let left = a.get("/tasks").await.json(200);
        let titles: Vec<_> = left.as_array().into_iter().flatten().collect();
        assert_eq!(titles.len(), 2, "{left}");
        let next = titles.iter().find(|task| task["id"] == next["id"]);
        assert_eq!(next.expect("it stays")["follows"], json!(null));
        assert_eq!(b.get("/plan").await.json(200), json!([["launch", "ship"]]));

        assert_eq!(verified(&served).await, Vec::<String>::new());
        for slug in ["acme-corp", "globex"] {
            let (tenant, _) = served.tenancy.tenant(&slug.parse().unwrap()).await.unwrap();
            let schema = tenant.record().locator.as_ref().unwrap().schema();
            let there = database.superuser_at(tenant.record()).await;
            let ledger = format!(
                "SELECT string_agg(version, ' ' ORDER BY version) FROM {schema}.tenancy_migrations"
            );
            let ledger: String = there.query_one(&ledger, &[]).await.unwrap().get(0);
            assert_eq!(ledger, "20260101000000 20260102000000");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_who_comes_later_has_them_all() {
    let database = Database::empty().await;
    let app = app(Isolation::single(Strategy::Schema), FOLDER);
    let served = Served::start(app, &database, &[]).await;
    let late = tenancy::prelude::NewTenant::new("initech").unwrap();
    served.tenancy.provisioner().provision(late).await.unwrap();
    list(served.tenant("initech"), "launch").await;
    assert_eq!(verified(&served).await, Vec::<String>::new());
    // No tenant shares tables: the shared schema has none of theirs, nor a ledger.
    let tables = "SELECT string_agg(relname, ' ') FROM pg_class \
         WHERE relnamespace = 'shared'::regnamespace AND relkind = 'r'";
    assert_eq!(database.value::<String>(tables).await, "countries");
}
