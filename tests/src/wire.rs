//! A wire between client and server that counts round trips: how often the
//! client speaks after the server has. Answers are held back a little, so that
//! whatever the client sends without waiting arrives as one turn. It can be cut
//! before any turn: what the client says from then on reaches nobody.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// The counting wire.
pub struct Wire {
    /// The local port to connect to.
    pub port: u16,
    state: Arc<State>,
}

struct State {
    turns: AtomicUsize,
    /// The turn that does not get through any more.
    cut_before: AtomicUsize,
    /// How long answers are held back.
    hold: Duration,
    cut: Notify,
    /// What clients have said, where answers are held back.
    said: Mutex<Vec<u8>>,
}

impl Wire {
    /// Listens on a free port and forwards to `server` (`host:port`).
    ///
    /// # Panics
    ///
    /// When no port can be had.
    pub async fn to(server: String) -> Self {
        Self::holding(server, Duration::from_millis(15)).await
    }

    /// The same for a wire to be cut: it holds nothing back, and counts only turns
    /// that begin with a statement.
    ///
    /// # Panics
    ///
    /// When no port can be had.
    pub async fn quick(server: String) -> Self {
        Self::holding(server, Duration::ZERO).await
    }

    async fn holding(server: String, hold: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State {
            turns: AtomicUsize::new(0),
            cut_before: AtomicUsize::new(usize::MAX),
            hold,
            cut: Notify::new(),
            said: Mutex::default(),
        });
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let upstream = TcpStream::connect(&server).await.expect("the server");
                tokio::spawn(forward(client, upstream, shared.clone()));
            }
        });
        Self { port, state }
    }

    /// Lets so many turns through from now on, and then no more.
    pub fn cut_after(&self, turns: usize) {
        self.state.turns.store(0, Ordering::SeqCst);
        self.state.cut_before.store(turns, Ordering::SeqCst);
    }

    /// Waits until a turn has not got through.
    pub async fn until_cut(&self) {
        self.state.cut.notified().await;
    }

    /// The round trips since the last call.
    pub fn take(&self) -> usize {
        self.state.turns.swap(0, Ordering::SeqCst)
    }

    /// What clients have said since the last call, byte by byte.
    pub fn take_said(&self) -> Vec<u8> {
        std::mem::take(&mut *self.state.said())
    }
}

impl State {
    fn said(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn forward(client: TcpStream, server: TcpStream, state: Arc<State>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let server_spoke = Arc::new(AtomicBool::new(true));
    let spoke = server_spoke.clone();
    let hold = state.hold;
    let up = async move {
        let mut buffer = [0; 16_384];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            if !hold.is_zero() {
                state.said().extend_from_slice(&buffer[..read]);
            }
            // Logging in is no step of what is cut: only statements are.
            let statement = !hold.is_zero() || b"QPB".contains(&buffer[0]);
            if spoke.swap(false, Ordering::SeqCst) && statement {
                state.turns.fetch_add(1, Ordering::SeqCst);
            }
            if state.turns.load(Ordering::SeqCst) > state.cut_before.load(Ordering::SeqCst) {
                // From here on the client speaks to nobody, until it is gone.
                state.cut.notify_one();
                continue;
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
            while !hold.is_zero()
                && let Ok(Ok(more @ 1..)) =
                    tokio::time::timeout(hold, from_server.read(&mut buffer[read..])).await
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
