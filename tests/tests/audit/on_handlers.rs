//! `audit(…)` on handlers: what a tenant asks for is in its trail before it is done,
//! and how it ended afterwards.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use integration::wire::Wire;
use tenancy::audit::{AuditGate as _, AuditLayer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::*;

#[tenant_handler(post, "/posts", audit(action = "publish", resource = "post"))]
async fn publish(
    mut db: TenantConn,
    audit: Audit,
    Json(new): Json<NewTodo>,
) -> Result<(StatusCode, Json<Todo>)> {
    let todo = db
        .transaction(async |conn| {
            let todo = new.insert(conn).await?;
            let event = AuditEvent::new("write", "row").detail(json!(todo.id));
            audit.record_in(conn, event).await?;
            match &*todo.title {
                "panic" => panic!("as the test wants it"),
                "broken" => Err(Error::internal("as the test wants it")),
                _ => Ok(todo),
            }
        })
        .await?;
    Ok((StatusCode::CREATED, Json(todo)))
}

#[tenant_handler(
    get,
    "/forecasts",
    feature = "forecasts",
    rate_limit = "2/day",
    audit(action = "look", resource = "forecast")
)]
async fn forecast() {}

#[tenant_handler(get, "/count")]
async fn count(mut db: TenantConn) -> Result<Json<i64>> {
    Ok(Json(todos::table.count().get_result(&mut db).await?))
}

#[tenant_handler(get, "/seen", audit(action = "count", resource = "todo"))]
async fn seen(db: TenantConn) -> Result<Json<i64>> {
    count(db).await
}

fn audited(strategy: Strategy, sink: impl AuditSink) -> App {
    app(strategy, sink)
        .route::<publish>()
        .route::<forecast>()
        .route::<count>()
        .route::<seen>()
        .route::<stuck>()
}

/// Action and outcome of each entry, the oldest first.
fn told(entries: &[Value]) -> Vec<(&str, &str)> {
    let entries = entries.iter().rev();
    entries
        .map(|entry| {
            let said = |field: &str| entry[field].as_str().expect("a text");
            (said("action"), said("outcome"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_in_the_trail_before_and_after() {
    for strategy in STRATEGIES {
        let database = Database::empty().await;
        // With one connection: nobody waits for a second one.
        let one = [
            ("TENANCY_POOL_SIZE", "1"),
            ("TENANCY_DATABASE_POOL_SIZE", "1"),
        ];
        let shop = Served::start(audited(strategy, DatabaseTrail), &database, &one).await;
        let a = shop.tenant(A);
        let post = async |title: &str| a.post("/posts", json!({ "title": title })).await;
        post("first").await.json(201);
        let all = entries(&shop, A).await;
        let [done, wrote, begun] = all.as_slice() else {
            panic!("{strategy}: {all:?}");
        };
        assert_eq!(
            told(&all),
            [("publish", "begun"), ("write", "done"), ("publish", "done")]
        );
        assert_eq!(begun["detail"], json!({"method": "POST", "path": "/posts"}));
        assert_eq!(done["detail"], json!({"begun": begun["id"], "status": 201}));
        for entry in [begun, done] {
            assert_eq!(entry["resource"], "post");
            assert_eq!(entry["actor"], "ada");
            assert_eq!(entry["request_id"], wrote["request_id"]);
            assert_eq!(entry["ip"], "127.0.0.1");
        }
        // What is refused or fails undoes the change, and is told all the same.
        post("first").await.problem(409);
        post("broken").await.problem(500);
        post("panic").await.problem(500);
        a.post("/posts", json!("no post")).await.problem(422);
        let all = entries(&shop, A).await;
        let ends = ["refused", "failed", "failed", "refused"];
        let expected = ends.map(|end| [("publish", "begun"), ("publish", end)]);
        assert_eq!(told(&all)[3..], expected.concat(), "{strategy}");
        let ids: std::collections::BTreeSet<_> = all
            .iter()
            .map(|entry| entry["request_id"].as_str())
            .collect();
        assert_eq!(ids.len(), 5, "one of each request");
        // Another method of the path is another matter, and so is another tenant.
        assert_eq!(a.get("/posts").await.status, 405);
        assert_eq!(entries(&shop, A).await.len(), all.len());
        assert!(entries(&shop, B).await.is_empty(), "{strategy}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_gate_refuses_is_seen_and_what_is_over_its_limit_is_not() {
    let database = Database::empty().await;
    let shop = Served::start(audited(Strategy::Rls, DatabaseTrail), &database, &[]).await;
    let a = shop.tenant(A);
    for _ in 0..2 {
        let refused = a.get("/forecasts").await;
        assert_eq!(refused.problem(403), "feature_unavailable");
    }
    // So that nobody fills the trail faster than the limit lets them.
    assert_eq!(a.get("/forecasts").await.problem(429), "rate_limited");
    let all = entries(&shop, A).await;
    let once = [("look", "begun"), ("look", "refused")];
    assert_eq!(told(&all), [once, once].concat());
    assert_eq!(all[0]["detail"]["status"], 403);
}

/// Takes so many entries.
struct Room(AtomicUsize);

#[tenancy::async_trait]
impl AuditSink for Room {
    async fn write(&self, _: &Tenant, _: &AuditEntry, _: Option<&mut TenantConn>) -> Result<()> {
        let taken = self.0.fetch_sub(1, Ordering::SeqCst);
        if taken == 0 {
            self.0.store(0, Ordering::SeqCst);
            return Err(Error::unavailable("the disk is full"));
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_does_nothing_unless_it_has_begun_and_what_it_did_is_answered() {
    let rows = "SELECT count(*) FROM shared.todos";
    // Of `begun`, the handler's own entry, and the outcome.
    for (room, status, done) in [(0, 503, 0), (1, 503, 0), (2, 201, 1), (3, 201, 1)] {
        let database = Database::empty().await;
        let sink = Room(AtomicUsize::new(room));
        let shop = Served::start(audited(Strategy::Rls, sink), &database, &[]).await;
        let answer = shop
            .tenant(A)
            .post("/posts", json!({"title": "first"}))
            .await;
        assert_eq!(answer.status, status, "room for {room}");
        assert_eq!(database.value::<i64>(rows).await, done, "room for {room}");
    }
}

/// How many requests are stuck.
static STUCK: AtomicUsize = AtomicUsize::new(0);

struct Stuck;

impl Drop for Stuck {
    fn drop(&mut self) {
        STUCK.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tenant_handler(get, "/stuck", audit(action = "wait", resource = "nothing"))]
async fn stuck() {
    STUCK.fetch_add(1, Ordering::SeqCst);
    let _stuck = Stuck;
    std::future::pending::<()>().await;
}

async fn until_stuck(requests: usize) {
    while AtomicUsize::load(&STUCK, Ordering::SeqCst) != requests {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_request_that_is_cut_off_there_is_that_it_has_begun() {
    let database = Database::empty().await;
    let shop = Served::start(audited(Strategy::Schema, DatabaseTrail), &database, &[]).await;
    let mut client = TcpStream::connect(shop.site.address).await.unwrap();
    let request = format!("GET /stuck HTTP/1.1\r\nHost: x\r\nX-Tenant-ID: {A}\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    until_stuck(1).await;
    assert_eq!(told(&entries(&shop, A).await), [("wait", "begun")]);
    drop(client);
    until_stuck(0).await;
    assert_eq!(told(&entries(&shop, A).await), [("wait", "begun")]);
    // And nothing of it is left on a connection.
    database.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_costs_two_round_trips() {
    for strategy in STRATEGIES {
        let database = Database::empty().await;
        let port = database.app.get_ports()[0];
        let wire = Wire::to(format!("127.0.0.1:{port}")).await;
        let through = |url: String| url.replace(&format!(":{port}/"), &format!(":{}/", wire.port));
        let url = through(database.app_url());
        let template = url.replace(database.app.get_dbname().unwrap(), "{database_name}");
        let vars = [
            ("TENANCY_DATABASE_URL", &*url),
            ("TENANCY_DATABASE_URL_TEMPLATE", &*template),
        ];
        let vars = if strategy == Strategy::Database {
            &vars[..]
        } else {
            &vars[..1]
        };
        let shop = Served::start(audited(strategy, DatabaseTrail), &database, vars).await;
        let cost = async |path: &'static str| {
            // What listens for changes of tenants counts as well: the cheapest of
            // several tries is free of it, and has its statements prepared.
            let mut least = usize::MAX;
            for _ in 0..10 {
                wire.take();
                shop.tenant(A).get(path).await.json(200);
                least = least.min(wire.take());
            }
            least
        };
        assert_eq!(cost("/count").await, 1, "{strategy}");
        assert_eq!(cost("/seen").await, 3, "{strategy}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_nobody_records_is_not_reached() {
    let database = Database::empty().await;
    let by_hand = |method| axum::Router::new().route("/by-hand", method);
    let bare = app(Strategy::Rls, DatabaseTrail).merge(by_hand(axum::routing::post(publish)));
    let shop = Served::start(bare, &database, &[]).await;
    let post = json!({ "title": "first" });
    let refused = shop.tenant(A).post("/by-hand", post.clone()).await;
    assert_eq!(refused.problem(500), "internal");
    assert_eq!(
        database
            .value::<i64>("SELECT count(*) FROM shared.todos")
            .await,
        0
    );
    assert!(entries(&shop, A).await.is_empty());
    drop(shop);
    // The twin: one that is recorded by hand.
    let method = axum::routing::post(publish).layer(AuditLayer::new(publish::AUDITED));
    let recorded = app(Strategy::Rls, DatabaseTrail).merge(by_hand(method));
    let shop = Served::start(recorded, &database, &[]).await;
    shop.tenant(A).post("/by-hand", post).await.json(201);
    let all = entries(&shop, A).await;
    assert_eq!(
        told(&all),
        [("publish", "begun"), ("write", "done"), ("publish", "done")]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_without_a_trail_does_not_start_with_such_a_handler() {
    let without = || {
        App::new("trail", "1.0.0")
            .membership(Gateway)
            .seed(A)
            .route::<silent>()
    };
    let config = |app: &App| tenancy::config::Config::from_vars(app.defaults(), []).unwrap();
    let app = without();
    let config_of = config(&app);
    let error = app.start(config_of).await.unwrap_err().to_string();
    for part in [
        "the handler of `GET /silent`",
        "has `audit(…)`, and the application keeps no trail",
        "declare audit = \"database\"",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    // The twin: with one, and without a database.
    let shop = Served::in_memory(without().audit(LogTrail), &[]).await;
    assert_eq!(shop.tenant(A).get("/silent").await.status, 200);
}

#[tenant_handler(get, "/silent", audit(action = "say", resource = "nothing"))]
async fn silent() {}
