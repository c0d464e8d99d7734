//! The trail of each tenant: there exactly if the change is, seen by nobody else,
//! and not to be rewritten.

mod on_handlers;
mod order;

use axum::http::request::Parts;
use integration::database::Database;
use integration::http::{Login, Served, raw, start};
use serde_json::json;
use tenancy::admit::Gateway;
use tenancy::audit::{AuditEntry, AuditSink, DatabaseTrail, LogTrail};
use tenancy::http::Query;
use tenancy::prelude::*;
use tenancy::resolve::Principal;
use tenancy::{Isolation, Strategy};

use crate::shop::{NewTodo, Todo, todos};

const A: &str = "acme-corp";
const B: &str = "globex";
const STRATEGIES: [Strategy; 3] = [Strategy::Rls, Strategy::Schema, Strategy::Database];

#[tenant_handler(post, "/todos")]
async fn create(
    mut db: TenantConn,
    audit: Audit,
    Json(new): Json<NewTodo>,
) -> Result<(StatusCode, Json<Todo>)> {
    let todo = db
        .transaction(async |conn| {
            let todo = new.insert(conn).await?;
            let event = AuditEvent::new("create", "todo").detail(json!({ "title": todo.title }));
            audit.record_in(conn, event).await?;
            // Too late for the change, and so for the trail of it.
            if todo.title == "refused" {
                return Err(Error::Conflict("refused".to_owned()));
            }
            Ok(todo)
        })
        .await?;
    Ok((StatusCode::CREATED, Json(todo)))
}

#[tenant_handler(get, "/todos")]
async fn list(mut db: TenantConn, audit: Audit) -> Result<Json<Vec<Todo>>> {
    let event = AuditEvent::new("list", "todo").outcome("seen");
    audit.record(&mut db, event).await?;
    Ok(Json(Todo::query().order(todos::id).load(&mut db).await?))
}

#[derive(serde::Deserialize)]
struct Page {
    before: Option<Uuid>,
    limit: u32,
}

#[tenant_handler(get, "/trail")]
async fn trail(mut db: TenantConn, Query(page): Query<Page>) -> Result<Json<Vec<AuditEntry>>> {
    let entries = AuditEntry::page(&mut db, page.before, page.limit).await?;
    Ok(Json(entries))
}

fn app(strategy: Strategy, sink: impl AuditSink) -> App {
    App::new("trail", "1.0.0")
        .membership(Gateway)
        .isolation(Isolation::single(strategy))
        .model::<Todo>()
        .model::<crate::shop::Project>()
        .audit(sink)
        .route::<create>()
        .route::<list>()
        .route::<alone>()
        .route::<trail>()
        .layer(axum::Extension(Principal::new("ada")))
        .seed(A)
        .seed(B)
}

async fn entries(shop: &Served, tenant: &str) -> Vec<Value> {
    let page = shop.tenant(tenant).get("/trail?limit=100").await.json(200);
    page.as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_is_there_exactly_if_the_change_is() {
    for strategy in STRATEGIES {
        let database = Database::empty().await;
        // With one connection: nobody waits for a second one.
        let one = [
            ("TENANCY_POOL_SIZE", "1"),
            ("TENANCY_DATABASE_POOL_SIZE", "1"),
        ];
        let shop = Served::start(app(strategy, DatabaseTrail), &database, &one).await;
        let a = shop.tenant(A);
        a.post("/todos", json!({"title": "first"})).await.json(201);
        // Refused by the application, and by the database.
        for title in ["refused", "first"] {
            let refused = a.post("/todos", json!({ "title": title })).await;
            assert_eq!(refused.problem(409), "conflict");
        }
        let todos = a.get("/todos").await.json(200);
        assert_eq!(todos.as_array().map(Vec::len), Some(1));
        let of_a = entries(&shop, A).await;
        assert_eq!(of_a.len(), 2, "{strategy}: {of_a:?}");
        let [seen, created] = [&of_a[0], &of_a[1]];
        assert_eq!(seen["action"], "list");
        assert_eq!(seen["outcome"], "seen");
        assert_eq!(created["action"], "create");
        assert_eq!(created["outcome"], "done");
        assert_eq!(created["resource"], "todo");
        assert_eq!(created["actor"], "ada");
        assert_eq!(created["detail"], json!({"title": "first"}));
        assert!(
            created["request_id"]
                .as_str()
                .is_some_and(|id| id.len() == 36)
        );
        assert_eq!(a.get("/alone").await.text(), "recorded");
        // Another tenant has another trail.
        assert!(entries(&shop, B).await.is_empty(), "{strategy}");
        if strategy == Strategy::Rls {
            // The twin: it is the policy that keeps them apart.
            let drop = "DROP POLICY tenancy_isolation ON shared.tenancy_audit";
            database.sabotage(drop).await;
            assert_eq!(entries(&shop, B).await.len(), 3);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trail_says_who_sent_the_request_as_far_as_that_can_be_believed() {
    let database = Database::empty().await;
    let vars = [("TENANCY_TRUSTED_PROXIES", "127.0.0.1")];
    let shop = Served::start(app(Strategy::Schema, DatabaseTrail), &database, &vars).await;
    let request = format!(
        "GET /todos HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Tenant-ID: {A}\r\n\
         X-Forwarded-For: 198.51.100.7\r\nUser-Agent: {}\r\nX-Request-Id: req-1\r\n\r\n",
        "u".repeat(500)
    );
    raw(shop.site.address, request.as_bytes()).await;
    let entry = &entries(&shop, A).await[0];
    assert_eq!(entry["ip"], "198.51.100.7");
    assert_eq!(entry["user_agent"], "u".repeat(200));
    assert_eq!(entry["request_id"], "req-1");
    // The twin: who is no proxy of ours is not believed.
    drop(shop);
    let shop = Served::start(app(Strategy::Schema, DatabaseTrail), &database, &[]).await;
    raw(shop.site.address, request.as_bytes()).await;
    assert_eq!(entries(&shop, A).await[0]["ip"], "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_read_page_by_page() {
    let database = Database::empty().await;
    let shop = Served::start(app(Strategy::Rls, DatabaseTrail), &database, &[]).await;
    for n in 0..7 {
        let todo = json!({ "title": format!("todo {n}") });
        shop.tenant(A).post("/todos", todo).await.json(201);
    }
    let (mut titles, mut before) = (Vec::new(), String::new());
    loop {
        let path = format!("/trail?limit=3{before}");
        let page = shop.tenant(A).get(&path).await.json(200);
        let page = page.as_array().unwrap();
        titles.extend(page.iter().map(|entry| entry["detail"]["title"].clone()));
        match page.last() {
            Some(last) => before = format!("&before={}", last["id"].as_str().unwrap()),
            None => break,
        }
    }
    let newest_first: Vec<_> = (0..7).rev().map(|n| json!(format!("todo {n}"))).collect();
    assert_eq!(titles, newest_first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_application_cannot_rewrite_it_and_does_not_start_if_it_could() {
    for strategy in STRATEGIES {
        let database = Database::empty().await;
        let shop = Served::start(app(strategy, DatabaseTrail), &database, &[]).await;
        shop.tenant(A)
            .post("/todos", json!({"title": "first"}))
            .await
            .json(201);
        let (tenant, db) = shop.tenancy.tenant(&A.parse().unwrap()).await.unwrap();
        let rewrite = async |sql: &str| {
            let mut conn = db.conn().await.unwrap();
            diesel::sql_query(sql).execute(&mut conn).await
        };
        for sql in [
            "UPDATE \"tenant\".tenancy_audit SET actor = 'eve'",
            "DELETE FROM \"tenant\".tenancy_audit",
            "TRUNCATE \"tenant\".tenancy_audit",
        ] {
            let refused = rewrite(sql).await.unwrap_err().to_string();
            assert!(refused.contains("permission denied"), "{refused}");
        }
        assert_eq!(entries(&shop, A).await[0]["actor"], "ada");
        // The twin: with the right to, it can, and that is found.
        let superuser = database.superuser_at(tenant.record()).await;
        let schema = tenant.record().locator.as_ref().unwrap().schema();
        let role = database.app_role();
        let grant = format!("GRANT UPDATE (actor) ON {schema}.tenancy_audit TO {role}");
        superuser.batch_execute(&grant).await.unwrap();
        rewrite("UPDATE \"tenant\".tenancy_audit SET actor = 'eve'")
            .await
            .unwrap();
        assert_eq!(entries(&shop, A).await[0]["actor"], "eve");
        let problems = shop.tenancy.verify().await.unwrap();
        let said: String = problems.iter().map(ToString::to_string).collect();
        assert!(
            said.contains("more than it should: UPDATE"),
            "{strategy}: {said}"
        );
        assert!(
            said.contains("what is written there stays as it is"),
            "{said}"
        );
    }
}

/// Cannot be written to.
struct Full;

#[tenancy::async_trait]
impl AuditSink for Full {
    async fn write(&self, _: &Tenant, _: &AuditEntry, _: Option<&mut TenantConn>) -> Result<()> {
        Err(Error::unavailable("the disk is full"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_recorded_is_not_done() {
    let database = Database::empty().await;
    let shop = Served::start(app(Strategy::Rls, Full), &database, &[]).await;
    let refused = shop
        .tenant(A)
        .post("/todos", json!({"title": "first"}))
        .await;
    assert_eq!(refused.problem(503), "unavailable");
    let count = "SELECT count(*) FROM shared.todos";
    assert_eq!(database.value::<i64>(count).await, 0);
    drop(shop);
    // The twin: a sink that takes it.
    let shop = Served::start(app(Strategy::Rls, LogTrail), &database, &[]).await;
    shop.tenant(A)
        .post("/todos", json!({"title": "first"}))
        .await
        .json(201);
    assert_eq!(database.value::<i64>(count).await, 1);
}

#[tenant_handler(get, "/mixed")]
async fn mixed(audit: Audit, parts: Parts) -> Result<&'static str> {
    let other = parts.extensions.get::<Other>().expect("the other tenant's");
    let mut conn = other.0.conn().await?;
    let event = || AuditEvent::new("mix", "up");
    // The change would last without it.
    let outside = audit.record_in(&mut conn, event()).await;
    let outside = outside.expect_err("no transaction").to_string();
    assert!(
        outside.contains("belongs into the transaction") || outside.contains("row of tenant"),
        "{outside}"
    );
    conn.transaction(async |conn| audit.record_in(conn, event()).await)
        .await?;
    Ok("recorded")
}

#[tenant_handler(get, "/alone")]
async fn alone(audit: Audit) -> Result<&'static str> {
    audit.record_alone(AuditEvent::new("look", "up")).await?;
    Ok("recorded")
}

#[derive(Clone)]
struct Other(TenantDb);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_tenant_s_trail_is_not_written_on_another_s_connection() {
    let database = Database::empty().await;
    let shop = Served::start(app(Strategy::Rls, DatabaseTrail), &database, &[]).await;
    let (_, of_b) = shop.tenancy.tenant(&B.parse().unwrap()).await.unwrap();
    let app = app(Strategy::Rls, DatabaseTrail).route::<mixed>();
    let mixing = app.layer(axum::Extension(Other(of_b)));
    let mixing = start(mixing, &database, Login::Both, &[]).await.unwrap();
    assert_eq!(
        mixing.tenant(A).get("/mixed").await.problem(500),
        "internal"
    );
    assert!(entries(&shop, B).await.is_empty());
    // The twin: its own connection is taken.
    assert_eq!(mixing.tenant(B).get("/mixed").await.text(), "recorded");
    assert_eq!(entries(&shop, B).await.len(), 1);
}
