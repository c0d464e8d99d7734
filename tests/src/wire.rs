//! A wire between client and server that counts round trips: how often the
//! client speaks after the server has. Answers are held back a little, so that
//! whatever the client sends without waiting arrives as one turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The counting wire.
pub struct Wire {
    /// The local port to connect to.
    pub port: u16,
    turns: Arc<AtomicUsize>,
}

impl Wire {
    /// Listens on a free port and forwards to `server` (`host:port`).
    ///
    /// # Panics
    ///
    /// When no port can be had.
    pub async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let turns = Arc::new(AtomicUsize::new(0));
        let counter = turns.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let upstream = TcpStream::connect(&server).await.expect("the server");
                tokio::spawn(forward(client, upstream, counter.clone()));
            }
        });
        Self { port, turns }
    }

    /// The round trips since the last call.
    pub fn take(&self) -> usize {
        self.turns.swap(0, Ordering::SeqCst)
    }
}

async fn forward(client: TcpStream, server: TcpStream, turns: Arc<AtomicUsize>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let server_spoke = Arc::new(AtomicBool::new(true));
    let spoke = server_spoke.clone();
    let up = async move {
        let mut buffer = [0; 16_384];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            if spoke.swap(false, Ordering::SeqCst) {
                turns.fetch_add(1, Ordering::SeqCst);
            }
            if to_server.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
    };
    let down = async move {
        let mut buffer = [0; 65_536];
        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
            let mut read = read;
            // Hold the answer back until the server has fallen silent.
            while let Ok(Ok(more @ 1..)) = tokio::time::timeout(
                Duration::from_millis(15),
                from_server.read(&mut buffer[read..]),
            )
            .await
            {
                read += more;
            }
            server_spoke.store(true, Ordering::SeqCst);
            if to_client.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! { () = up => {}, () = down => {} }
}
