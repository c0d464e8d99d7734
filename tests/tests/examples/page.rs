//! The commands of the page that the examples are measured by, as they are printed
//! there and in their order, each with the outcome that the page states.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use integration::curl;
use integration::database::Database;
use integration::process::{Served, Workplace};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::{A, assert_success};

/// How long something live may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the page's commands lead.
const PAGE: &str = "http://localhost:8000";

/// Sends what the page prints to where `app` listens.
async fn follow(app: &Served, line: &str) -> (u16, Value) {
    let (status, body) = curl::run(&here(app, line)).await;
    // What greets may do so in plain text.
    let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
    (status, body)
}

fn here(app: &Served, line: &str) -> String {
    assert!(line.contains(PAGE), "{line}");
    line.replace(PAGE, &format!("http://{}", app.address))
}

/// The answer names who has asked.
async fn assert_greets(app: &Served, line: &str, name: &str) {
    let (status, greeting) = follow(app, line).await;
    assert_eq!(status, 200);
    assert!(greeting.to_string().contains(name), "{greeting}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn basic_1_hello_tenant() {
    let place = Workplace::new();
    let app = place.serve("hello-tenant", &[]).await;
    let acme = r#"curl http://localhost:8000/hello -H "X-Tenant-ID: acme-corp""#;
    let globex = r#"curl http://localhost:8000/hello -H "X-Tenant-ID: globex""#;
    assert_greets(&app, acme, "Acme").await;
    assert_greets(&app, globex, "Globex").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn basic_2_schema_isolation() {
    let place = Workplace::new();
    let app = place.serve("schema-isolation", &[]).await;
    let register = r#"curl -X POST http://localhost:8000/admin/tenants \
     -H "Content-Type: application/json" \
     -d '{"identifier": "acme-corp", "name": "Acme Corp"}'"#;
    let create = r#"curl -X POST "http://localhost:8000/todos" \
     -H "X-Tenant-ID: acme-corp" \
     -H "Content-Type: application/json" \
     -d '{"title": "Deploy to production"}'"#;
    let list = r#"curl http://localhost:8000/todos -H "X-Tenant-ID: acme-corp""#;
    assert_eq!(follow(&app, register).await.0, 201);
    let (status, todo) = follow(&app, create).await;
    assert_eq!(
        (status, &todo["title"]),
        (201, &json!("Deploy to production"))
    );
    assert_eq!(follow(&app, list).await, (200, json!([todo])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn basic_3_subdomain() {
    let place = Workplace::new();
    let app = place.serve("subdomain", &[]).await;
    let acme = r#"curl http://localhost:8000/ -H "Host: acme-corp.localhost.local""#;
    let globex = r#"curl http://localhost:8000/ -H "Host: globex.localhost.local""#;
    assert_greets(&app, acme, "Acme").await;
    assert_greets(&app, globex, "Globex").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intermediate_1_saas_starter() {
    let place = Workplace::new();
    let app = place.serve("saas-starter", &[]).await;
    let list = r#"curl http://localhost:8000/posts \
     -H "Authorization: Bearer <token>""#;
    let publish = r#"curl -X POST http://localhost:8000/posts \
     -H "Authorization: Bearer <token>" \
     -H "Content-Type: application/json" \
     -d '{"title": "Hello SaaS!", "body": "It works."}'"#;
    // The page's script is a program here.
    let made = place.run("generate_token", &[A], &[]).await;
    assert_success(&made);
    let with_token = |line: &str| line.replace("<token>", made.out.trim());
    assert_eq!(follow(&app, &with_token(list)).await, (200, json!([])));
    let (status, post) = follow(&app, &with_token(publish)).await;
    assert_eq!((status, &post["title"]), (201, &json!("Hello SaaS!")));
    assert_eq!(follow(&app, &with_token(list)).await, (200, json!([post])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intermediate_2_hybrid_isolation() {
    let place = Workplace::new();
    let app = place.serve("hybrid-isolation", &[]).await;
    let premium = [
        r#"curl http://localhost:8000/invoices -H "X-Tenant-ID: acme-corp""#,
        r#"curl http://localhost:8000/me       -H "X-Tenant-ID: acme-corp""#,
    ];
    let standard = [
        r#"curl http://localhost:8000/invoices -H "X-Tenant-ID: startup-a""#,
        r#"curl http://localhost:8000/me       -H "X-Tenant-ID: startup-a""#,
    ];
    for ([invoices, me], tier, strategy) in [
        (premium, "premium", "schema"),
        (standard, "standard", "rls"),
    ] {
        assert_eq!(follow(&app, invoices).await.0, 200);
        let (status, me) = follow(&app, me).await;
        assert_eq!((status, &me["tier"]), (200, &json!(tier)));
        assert_eq!(me["isolation_strategy"], strategy);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intermediate_3_custom_resolver() {
    let place = Workplace::new();
    let app = place.serve("custom-resolver", &[]).await;
    let acme = r#"curl http://localhost:8000/data -H "X-API-Key: key-acme-ABCDEF""#;
    let globex = r#"curl http://localhost:8000/data -H "X-API-Key: key-globex-123456""#;
    let wrong = r#"curl http://localhost:8000/data -H "X-API-Key: wrong-key""#;
    let (of_acme, of_globex) = (follow(&app, acme).await, follow(&app, globex).await);
    assert_eq!((of_acme.0, of_globex.0), (200, 200));
    assert_ne!(of_acme.1, of_globex.1);
    assert_eq!(follow(&app, wrong).await.0, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn advanced_1_ecommerce_platform() {
    let database = Database::empty().await;
    let place = Workplace::on(&database);
    let app = place.serve("ecommerce-platform", &[]).await;
    let provision = r#"curl -X POST http://localhost:8000/admin/tenants \
     -H "Content-Type: application/json" \
     -d '{"identifier": "acme-corp", "name": "Acme Corp", "plan": "enterprise"}'"#;
    let add = r#"curl -X POST http://localhost:8000/t/acme-corp/products \
     -H "Content-Type: application/json" \
     -d '{"name": "Widget Pro", "price": 29.99, "sku": "WGT-001", "stock": 50}'"#;
    let order = r#"curl -X POST http://localhost:8000/t/acme-corp/orders \
     -H "Content-Type: application/json" \
     -d '{"customer_email": "alice@example.com", "product_ids": [1]}'"#;
    let list = "curl http://localhost:8000/t/acme-corp/orders";
    let suspend = "curl -X POST http://localhost:8000/admin/tenants/acme-corp/suspend";
    let (status, tenant) = follow(&app, provision).await;
    assert_eq!((status, &tenant["plan"]), (201, &json!("enterprise")));
    assert_eq!(tenant["isolation_strategy"], "database");
    let (status, product) = follow(&app, add).await;
    assert_eq!((status, &product["id"]), (201, &json!(1)), "{product}");
    let (status, placed) = follow(&app, order).await;
    assert_eq!(
        (status, &placed["total"]),
        (201, &json!("29.99")),
        "{placed}"
    );
    assert_eq!(follow(&app, list).await, (200, json!([placed])));
    assert_eq!(follow(&app, suspend).await.0, 200);
    let (status, refused) = follow(&app, list).await;
    assert_eq!((status, &refused["code"]), (403, &json!("tenant_inactive")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn advanced_2_analytics_platform() {
    let place = Workplace::new();
    let app = place.serve("analytics-platform", &[]).await;
    let register = r#"curl -X POST http://localhost:8000/admin/tenants \
     -H "Content-Type: application/json" \
     -d '{"identifier": "acme-corp", "name": "Acme Corp", "plan": "pro"}'"#;
    let ingest = r#"curl -X POST http://localhost:8000/events \
     -H "X-Tenant-ID: acme-corp" \
     -H "Content-Type: application/json" \
     -d '{"event_type": "page_view", "user_id": "u-123", "properties": {"page": "/home"}}'"#;
    let stream = r#"curl -N "http://localhost:8000/events/stream" \
     -H "X-Tenant-ID: acme-corp" \
     -H "Accept: text/event-stream""#;
    let metrics = r#"curl http://localhost:8000/metrics/summary -H "X-Tenant-ID: acme-corp""#;
    let register_free = r#"curl -X POST http://localhost:8000/admin/tenants \
     -d '{"identifier": "free-user", "name": "Free", "plan": "starter"}'"#;
    let free_metrics = r#"curl http://localhost:8000/metrics/summary -H "X-Tenant-ID: free-user""#;
    let bulk_suspend = r#"curl -X POST http://localhost:8000/admin/tenants/bulk-suspend \
     -H "Content-Type: application/json" \
     -d '["free-user"]'"#;

    assert_eq!(follow(&app, register).await.0, 201);
    let (status, event) = follow(&app, ingest).await;
    assert_eq!((status, &event["event_type"]), (201, &json!("page_view")));

    let streamed = curl::request(&here(&app, stream)).send().await;
    let mut streamed = streamed.expect("a stream");
    // `websocat "ws://localhost:8000/ws" --header "X-Tenant-ID: acme-corp"`
    let mut socket = socket(&app, A).await;
    let (_, event) = follow(&app, ingest).await;
    let mut told = String::new();
    while !told.contains("page_view") {
        let part = tokio::time::timeout(PATIENCE, streamed.chunk()).await;
        let part = part.expect("in time").expect("a part").expect("not over");
        told.push_str(&String::from_utf8_lossy(&part));
    }
    assert!(
        told.contains(event["id"].as_str().expect("an id")),
        "{told}"
    );
    assert_eq!(heard(&mut socket).await["data"], event);
    // What one says, all who listen for the tenant hear.
    let mut other = self::socket(&app, A).await;
    let said = Message::text(json!({"note": "look at this"}).to_string());
    other.send(said).await.expect("sent");
    for socket in [&mut socket, &mut other] {
        let heard = heard(socket).await;
        assert_eq!(heard["data"]["note"], "look at this", "{heard}");
    }

    let (status, summary) = follow(&app, metrics).await;
    assert_eq!((status, &summary["events"]), (200, &json!(2)), "{summary}");
    assert_eq!(
        (&summary["users"], &summary["top"][0]["events"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(follow(&app, register_free).await.0, 201);
    let (status, refused) = follow(&app, free_metrics).await;
    assert_eq!(status, 403);
    assert_eq!(
        refused["detail"],
        "Feature 'advanced_analytics' is not available on your plan"
    );
    assert_eq!(follow(&app, bulk_suspend).await.0, 200);
    let (status, refused) = follow(&app, free_metrics).await;
    assert_eq!((status, &refused["code"]), (403, &json!("tenant_inactive")));
}

type Socket =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn socket(app: &Served, slug: &str) -> Socket {
    let url = format!("ws://{}/ws", app.address);
    let mut request = url.into_client_request().expect("a request");
    let slug = slug.parse().expect("a header's value");
    request.headers_mut().insert("X-Tenant-ID", slug);
    let connected = tokio_tungstenite::connect_async(request).await;
    connected.expect("a WebSocket").0
}

/// The next message that is JSON.
async fn heard(socket: &mut Socket) -> Value {
    loop {
        let next = tokio::time::timeout(PATIENCE, socket.next()).await;
        if let Message::Text(text) = next.expect("in time").expect("open").expect("a message") {
            return serde_json::from_str(&text).expect("JSON");
        }
    }
}
