//! Servers that a test starts for itself, because it restarts or kills them or
//! configures them its own way. They end with their guard, and also when the
//! test's process is killed and no guard gets to run.

pub(crate) mod child;
mod dns;
mod folder;
mod pgbouncer;
mod postgres;
mod redis;

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

pub use dns::NameServer;
pub use pgbouncer::PgBouncer;
pub use postgres::{Postgres, SERVER_CERTIFICATE, SERVER_KEY, Shutdown};
pub use redis::Redis;

/// What `cargo xtask test` says about the programs of this machine.
fn given(name: &str) -> PathBuf {
    std::env::var_os(name)
        .unwrap_or_else(|| panic!("{name}: run `cargo xtask test -- FILTER`"))
        .into()
}

/// A port that was free a moment ago; whoever uses it must cope with losing it.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}
