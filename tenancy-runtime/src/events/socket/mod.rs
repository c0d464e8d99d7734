//! WebSockets of tenants'.
//!
//! One task drives a socket: it reads, writes, pings and runs the handler, side by
//! side, so that none of them waits for another. Whatever the handler does, the socket
//! is closed when the tenant may be served no longer, when the process stops, when the
//! peer does not answer or does not read, and when the handler ends, fails or panics;
//! each with a code of its own (`ending`). What lies between the socket and the
//! handler is bounded in both directions.
//!
//! Browsers send a site's cookies along with a WebSocket that a page of *another* site
//! opens, and no rule of theirs keeps that page from reading what comes. So the
//! page's origin is compared here (`origin`), before anything is upgraded.

mod drive;
mod ending;
mod origin;
mod tenant_socket;
mod upgrade;

pub use tenant_socket::TenantSocket;
pub use upgrade::TenantWebSocket;
