//! What is told to those who listen to a tenant: over WebSockets and server-sent
//! events, in one process and in several.

mod bounds;
mod crossing;
mod encrypted;
mod ends;
mod origins;
mod processes;
mod sockets;
mod streams;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::response::Response;
use futures_util::StreamExt as _;
use integration::http::Served;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tenancy::db::TenantDb;
use tenancy::events::{EventStream, Events, Overflow, Subscription, TenantEvents, TenantWebSocket};
use tenancy::prelude::*;
use tenancy::tenant::Slug;
use tenancy::{Isolation, Strategy};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::shop;

const A: &str = "acme-corp";
const B: &str = "globex";

/// How late the machine may be.
const LATE: Duration = Duration::from_millis(1_500);

#[derive(Serialize, Deserialize)]
struct Said {
    kind: String,
    data: Value,
}

#[tenant_handler(post, "/events")]
async fn publish(events: TenantEvents, Json(said): Json<Said>) -> Result<StatusCode> {
    events.publish(&said.kind, &said.data).await?;
    Ok(StatusCode::ACCEPTED)
}

#[tenant_handler(get, "/events")]
async fn stream(events: TenantEvents) -> EventStream {
    events.subscribe().await.into_sse()
}

#[tenant_handler(get, "/live")]
async fn live(socket: TenantWebSocket, events: TenantEvents) -> Response {
    socket.on_upgrade(async move |mut socket| socket.forward(events.subscribe().await).await)
}

/// For those who want all or nothing, and may be away for no longer than a second.
#[tenant_handler(get, "/strict")]
async fn strict(socket: TenantWebSocket, events: TenantEvents) -> Response {
    let socket = socket
        .send_within(Duration::from_secs(60))
        .allow_origins(["https://front.example"])
        .max_message_size(1_000);
    socket.on_upgrade(async move |mut socket| {
        let subscription = events.subscribe_with(Overflow::Close).await;
        socket.forward(subscription).await
    })
}

/// Pings all the time.
#[tenant_handler(get, "/pings")]
async fn pings(socket: TenantWebSocket, events: TenantEvents) -> Response {
    let socket = socket.ping_every(Duration::from_secs(1));
    socket.on_upgrade(async move |mut socket| socket.forward(events.subscribe().await).await)
}

/// Does what the peer says, on a connection that it borrows for it.
async fn obey(db: TenantDb, order: String) -> Result<Option<Value>> {
    match &*order {
        "panic" => panic!("a mistake of the application's"),
        "fail" => return Err(Error::internal("hunter2")),
        "away" => return Err(Error::unavailable("hunter2")),
        "hold" => {
            let _held = db.conn().await?;
            std::future::pending::<()>().await;
        }
        _ => {}
    }
    let mut conn = db.conn().await?;
    let all = shop::Todo::query().load::<shop::Todo>(&mut conn).await?;
    Ok(Some(json!({ "todos": all.len() })))
}

#[tenant_handler(get, "/orders")]
async fn orders(socket: TenantWebSocket, events: TenantEvents, db: TenantDb) -> Response {
    socket.on_upgrade(async move |mut socket| {
        let subscription = events.subscribe().await;
        let obey = |order| obey(db.clone(), order);
        socket.exchange(subscription, obey).await
    })
}

/// Says good-bye by itself.
#[tenant_handler(get, "/short")]
async fn short(socket: TenantWebSocket) -> Response {
    socket.on_upgrade(async move |socket| {
        for number in 0..100 {
            socket.send(&number).await?;
        }
        socket.close(4_001, "enough").await
    })
}

/// Publishes for any tenant: of the application itself.
#[tenant_handler(post, "/tell/{tenant}", tenant = "none")]
async fn tell(
    Path(tenant): Path<tenancy::tenant::TenantId>,
    events: Events,
    Json(said): Json<Said>,
) -> Result<StatusCode> {
    events.publish(tenant, &said.kind, &said.data).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Asks for what is of the application, on a tenant's route.
#[tenant_handler(get, "/wrong")]
async fn wrong(events: Events) -> String {
    format!("{events:?}")
}

fn app() -> App {
    shop::app(Isolation::single(Strategy::Rls))
        .route::<publish>()
        .route::<stream>()
        .route::<live>()
        .route::<strict>()
        .route::<pings>()
        .route::<orders>()
        .route::<short>()
        .route::<tell>()
        .route::<wrong>()
        .seed(A)
        .seed(B)
}

fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}

async fn events_of(served: &Served, tenant: &str) -> TenantEvents {
    let (tenant, _) = served.tenancy.tenant(&slug(tenant)).await.expect("active");
    served.tenancy.events().of(&tenant)
}

/// What the next event of a subscription says.
async fn heard(subscription: &mut Subscription) -> Value {
    use tenancy::events::Delivery;
    let next = tokio::time::timeout(Duration::from_secs(10), subscription.next());
    match next.await.expect("in time") {
        Some(Delivery::Event(event)) => event.data().expect("JSON"),
        Some(Delivery::Missed { count }) => json!({ "missed": count }),
        None => json!({ "ended": format!("{:?}", subscription.end()) }),
    }
}

/// A client of a WebSocket.
struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn open(address: SocketAddr, tenant: &str, path: &str) -> Self {
        let opened = Self::try_open(address, tenant, path, None).await;
        opened.unwrap_or_else(|status| panic!("answered {status}"))
    }

    /// The status, where it is refused.
    async fn try_open(
        address: SocketAddr,
        tenant: &str,
        path: &str,
        origin: Option<&str>,
    ) -> Result<Self, u16> {
        let url = format!("ws://{address}{path}");
        let mut request = url.into_client_request().expect("a URL");
        let headers = request.headers_mut();
        headers.insert("x-tenant-id", tenant.parse().expect("a header"));
        if let Some(origin) = origin {
            headers.insert("origin", origin.parse().expect("a header"));
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    /// The next message.
    async fn next(&mut self) -> Value {
        let next = tokio::time::timeout(Duration::from_secs(10), self.message());
        next.await.expect("in time").expect("a message")
    }

    /// The next message; how it ended, where there is none.
    async fn message(&mut self) -> Result<Value, Option<(u16, String)>> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => {
                    return Ok(serde_json::from_str(&text).expect("JSON"));
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Err(Some((frame.code.into(), frame.reason.to_string())));
                }
                Some(Ok(Message::Close(None)) | Err(_)) | None => return Err(None),
                Some(Ok(_)) => {}
            }
        }
    }

    /// How it ends, and after how long.
    async fn end(&mut self) -> (Option<(u16, String)>, Duration) {
        let start = Instant::now();
        let end = async {
            loop {
                if let Err(end) = self.message().await {
                    return end;
                }
            }
        };
        let end = tokio::time::timeout(Duration::from_secs(20), end);
        (end.await.expect("an end"), start.elapsed())
    }

    async fn say(&mut self, text: &str) {
        use futures_util::SinkExt as _;
        let said = self.0.send(Message::text(text)).await;
        said.expect("an open socket");
    }
}

/// Publishes until a client hears of it: its handler subscribes when it gets to it.
async fn until_open(events: &TenantEvents, client: &mut Client) {
    for _ in 0..100 {
        events.publish("begin", &()).await.expect("published");
        let next = tokio::time::timeout(Duration::from_millis(200), client.message());
        if let Ok(next) = next.await {
            next.expect("an open socket");
            return;
        }
    }
    panic!("nothing is heard");
}

/// The same, and takes what is still on its way of that.
async fn until_heard(events: &TenantEvents, client: &mut Client) {
    until_open(events, client).await;
    while let Ok(more) = tokio::time::timeout(Duration::from_millis(200), client.message()).await {
        more.expect("an open socket");
    }
}
