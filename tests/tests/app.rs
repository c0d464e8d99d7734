//! Whole applications over HTTP, in each strategy: what one tenant does is
//! nothing to another. Beside each defence stands its twin, which takes the
//! defence away and sees what it kept back.

use integration::database::Database;
use integration::http::{Caller, Served};
use serde_json::{Value, json};
use tenancy::prelude::*;
use tenancy::{Isolation, Strategy};

use crate::grounds::{Stand, grounds};
use crate::shop::{self, isolations};

const A: &str = shop::PREMIUM;
const B: &str = "globex";

async fn serve(isolation: Isolation) -> (Database, Served) {
    let database = Database::empty().await;
    let app = shop::app(isolation).seed(A).seed(B);
    let shop = Served::start(app, &database, &[("TENANCY_POOL_SIZE", "4")]).await;
    (database, shop)
}

async fn titles(caller: Caller<'_>) -> Vec<String> {
    let todos = caller.get("/todos").await.json(200);
    let todos = todos.as_array().expect("a list");
    let mut titles: Vec<_> = todos.iter().map(|todo| field(todo, "title")).collect();
    titles.sort_unstable();
    titles
}

/// A string field of an answer.
fn field(body: &Value, name: &str) -> String {
    body[name].as_str().expect("a string").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tenants_create_read_update_and_delete_in_every_isolation() {
    for ground in grounds() {
        let Stand { shop, .. } = ground.serve(&[A, B]).await;
        for (slug, strategy) in [A, B].into_iter().zip(ground.strategies) {
            let caller = shop.tenant(slug);
            let me = caller.get("/me").await.json(200);
            assert_eq!(me, json!({"tenant": slug, "isolation_strategy": strategy}));
            assert!(titles(caller).await.is_empty());

            let own = format!("of {slug}");
            let created = caller.post("/todos", json!({"title": own})).await.json(201);
            assert_eq!(created["done"], false);
            let path = format!("/todos/{}", field(&created, "id"));
            let changed = caller.patch(&path, json!({"done": true})).await.json(200);
            assert_eq!(
                (&changed["done"], &changed["title"]),
                (&json!(true), &json!(own))
            );
            assert_eq!(caller.get(&path).await.json(200), changed);

            let gone = caller
                .post("/todos", json!({"title": "gone"}))
                .await
                .json(201);
            let gone = format!("/todos/{}", field(&gone, "id"));
            assert_eq!(caller.delete(&gone).await.status, 204);
            assert_eq!(caller.delete(&gone).await.problem(404), "not_found");

            let project = caller
                .post("/projects", json!({"name": "Shared"}))
                .await
                .json(201);
            let todo = json!({"title": "joined", "project_id": project["id"]});
            caller.post("/todos", todo).await.json(201);
            assert_eq!(
                caller.get("/board").await.json(200),
                json!([["Shared", "joined"]])
            );
            assert_eq!(
                caller.get("/job").await.json(200).as_array().map(Vec::len),
                Some(2)
            );
        }
        for slug in [A, B] {
            assert_eq!(
                titles(shop.tenant(slug)).await,
                ["joined".to_owned(), format!("of {slug}")]
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_title_of_another_tenant_is_free() {
    for (isolation, strategies) in isolations() {
        let (database, shop) = serve(isolation).await;
        let (a, b) = (shop.tenant(A), shop.tenant(B));
        let same = || json!({"title": "same"});
        a.post("/todos", same()).await.json(201);
        assert_eq!(a.post("/todos", same()).await.problem(409), "conflict");
        b.post("/todos", same()).await.json(201);

        if strategies == ["rls", "rls"] {
            // The twin: a key that does not lead with the tenant tells of its rows.
            let loose = "DELETE FROM shared.todos WHERE tenant_id = (SELECT id \
                 FROM tenancy.tenants WHERE slug = 'globex'); \
                 CREATE UNIQUE INDEX loose ON shared.todos (title)";
            database.sabotage(loose).await;
            assert_eq!(b.post("/todos", same()).await.problem(409), "conflict");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tenant_s_id_leads_nowhere() {
    for (isolation, strategies) in isolations() {
        let (database, shop) = serve(isolation).await;
        let (a, b) = (shop.tenant(A), shop.tenant(B));
        let secret = a.post("/todos", json!({"title": "secret"})).await.json(201);
        let path = format!("/todos/{}", field(&secret, "id"));
        let nobody_s = format!("/todos/{}", Uuid::now_v7());
        for path in [&path, &nobody_s] {
            assert_eq!(b.get(path).await.problem(404), "not_found");
            assert_eq!(
                b.patch(path, json!({"done": true})).await.problem(404),
                "not_found"
            );
            assert_eq!(b.patch(path, json!({})).await.problem(404), "not_found");
            assert_eq!(b.delete(path).await.problem(404), "not_found");
        }
        // Byte for byte: nothing tells whether somebody has such a row.
        assert_eq!(b.get(&path).await.body, b.get(&nobody_s).await.body);
        assert_eq!(a.get(&path).await.json(200), secret);

        // The twin: with the place of the other tenant, and without the policy where
        // that is a place for all.
        let move_in = "DROP INDEX tenancy.tenants_own_schema, tenancy.tenants_own_database; \
             UPDATE tenancy.tenants t SET strategy = a.strategy, \
             schema_name = a.schema_name, database_host = a.database_host, \
             database_port = a.database_port, database_name = a.database_name \
             FROM tenancy.tenants a WHERE a.slug = 'acme-corp'";
        database.sabotage(move_in).await;
        if strategies[0] == "rls" {
            let lift = "DROP POLICY tenancy_isolation ON shared.todos";
            database.sabotage(lift).await;
        }
        assert_eq!(b.get(&path).await.json(200), secret);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tenant_s_row_cannot_be_referred_to() {
    for (isolation, strategies) in isolations() {
        let (database, shop) = serve(isolation).await;
        let (a, b) = (shop.tenant(A), shop.tenant(B));
        let project = a
            .post("/projects", json!({"name": "hidden"}))
            .await
            .json(201);
        let child = |title| json!({"title": title, "project_id": project["id"]});
        let orphan = json!({"title": "orphan", "project_id": Uuid::now_v7()});
        let refused = b.post("/todos", child("child")).await;
        assert_eq!(refused.problem(409), "conflict");
        assert_eq!(refused.body, b.post("/todos", orphan).await.body);
        a.post("/todos", child("child")).await.json(201);

        if strategies == ["rls", "rls"] {
            // The twin: a plain foreign key looks through row-level security.
            let plain = "ALTER TABLE shared.todos DROP CONSTRAINT todos_project_id_fkey; \
                 CREATE UNIQUE INDEX ON shared.projects (id); \
                 ALTER TABLE shared.todos ADD CONSTRAINT todos_project_id_fkey \
                    FOREIGN KEY (project_id) REFERENCES shared.projects (id)";
            database.sabotage(plain).await;
            b.post("/todos", child("child")).await.json(201);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_tenants_read_what_is_shared_and_none_writes_it() {
    for (isolation, strategies) in isolations() {
        let (database, shop) = serve(isolation).await;
        let rows = "INSERT INTO shared.countries VALUES ('CH', 'Switzerland')";
        database.owner.batch_execute(rows).await.unwrap();
        // Brings the copies in tenants' own databases up to date.
        shop.tenancy.migrate().await.unwrap();
        for (slug, strategy) in [A, B].into_iter().zip(strategies) {
            let seen = shop.tenant(slug).get("/countries").await.json(200);
            assert_eq!(seen, json!([{"code": "CH", "name": "Switzerland"}]));
            let (tenant, db) = shop.tenancy.tenant(&slug.parse().unwrap()).await.unwrap();
            let write = || diesel::sql_query("DELETE FROM \"shared\".countries");
            let refused = write().execute(&mut db.conn().await.unwrap()).await;
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains("permission denied"), "{refused}");
            if strategy == "rls" {
                continue;
            }
            // The twin: it is the missing privilege that refused.
            let superuser = database.superuser_at(tenant.record()).await;
            let grant = format!(
                "GRANT DELETE ON shared.countries TO {}",
                database.app_role()
            );
            superuser.batch_execute(&grant).await.unwrap();
            let gone = write().execute(&mut db.conn().await.unwrap()).await;
            assert_eq!(gone.unwrap(), 1);
            let restore = format!(
                "REVOKE DELETE ON shared.countries FROM {}; \
                 INSERT INTO shared.countries VALUES ('CH', 'Switzerland')",
                database.app_role()
            );
            superuser.batch_execute(&restore).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_cannot_be_written_for_another_tenant() {
    let (database, shop) = serve(Isolation::single(Strategy::Rls)).await;
    let (_, a) = shop.tenancy.tenant(&A.parse().unwrap()).await.unwrap();
    let b: String = database
        .value("SELECT id::text FROM tenancy.tenants WHERE slug = 'globex'")
        .await;
    shop.tenant(A)
        .post("/todos", json!({"title": "own"}))
        .await
        .json(201);
    // A body may say what it likes: no field is called that.
    let sly = json!({"title": "sly", "tenant_id": b});
    shop.tenant(A).post("/todos", sly).await.json(201);
    assert_eq!(titles(shop.tenant(A)).await, ["own", "sly"]);
    let forged = format!(
        "INSERT INTO \"tenant\".todos (tenant_id, id, title) \
         VALUES ('{b}', gen_random_uuid(), 'forged')"
    );
    let moved = format!("UPDATE \"tenant\".todos SET tenant_id = '{b}'");
    let attempt = async |sql: &str| {
        let mut conn = a.conn().await.unwrap();
        diesel::sql_query(sql).execute(&mut conn).await
    };
    for sql in [&forged, &moved] {
        let refused = attempt(sql).await.unwrap_err().to_string();
        assert!(
            refused.contains("violates row-level security policy"),
            "{refused}"
        );
    }
    assert!(titles(shop.tenant(B)).await.is_empty());
    // The twin: nothing but the restrictive policy keeps the row out.
    database
        .sabotage("DROP POLICY tenancy_isolation ON shared.todos")
        .await;
    assert_eq!(attempt(&forged).await.unwrap(), 1);
    assert!(titles(shop.tenant(B)).await.contains(&"forged".to_owned()));
}
