//! What happens to the tenant, as it happens: events as a stream or in a WebSocket,
//! and what those who hold one say to each other.

use axum::response::Response;
use tenancy::prelude::*;

/// The tenant's events from now on (`event: event`), how many came in a batch
/// (`event: batch`), and what is said in its WebSockets (`event: message`).
#[tenant_handler(get, "/events/stream")]
pub(super) async fn stream(live: TenantEvents) -> EventStream {
    live.subscribe().await.into_sse()
}

/// The same in a WebSocket. What comes in is JSON, and goes to all who listen for
/// the tenant, in this process and in others.
#[tenant_handler(get, "/ws")]
pub(super) async fn socket(socket: TenantWebSocket, live: TenantEvents) -> Response {
    socket.on_upgrade(async move |mut socket| {
        let subscription = live.subscribe().await;
        socket
            .exchange(subscription, |said| broadcast(live.clone(), said))
            .await
    })
}

async fn broadcast(live: TenantEvents, said: Value) -> Result<Option<()>> {
    live.publish("message", &said).await?;
    Ok(None)
}
