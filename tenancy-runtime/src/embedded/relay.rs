//! The relay between clients and the server, one client at a time, on threads:
//! the server is blocking, and a stop must not depend on a runtime that may be
//! ending itself.
//!
//! To the server every client looks well behaved. When one vanishes, the
//! server's answers are read to the end and thrown away, and its input ends;
//! then it rolls back, discards the session and takes the next client.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::postgres::Postgres;
use super::socket::{self, Address, Listener, Stream};

/// How much is carried at once, in bytes; as much as the server reads at once.
const CHUNK: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Relay {
    listener: Listener,
    postgres: Postgres,
    control: Arc<Control>,
}

impl Relay {
    pub(super) fn new(listener: Listener, postgres: Postgres, control: Arc<Control>) -> Self {
        Self {
            listener,
            postgres,
            control,
        }
    }

    /// Serves clients until told to finish, then ends the server.
    pub(super) fn run(mut self) -> Result<(), String> {
        loop {
            let client = self.listener.accept();
            if self.control.state().finishing {
                break;
            }
            let served = client.and_then(|client| self.serve(&client));
            if let Err(error) = served {
                tracing::warn!(%error, "a client of the embedded PostgreSQL was turned away");
                // Too many open files, say: it passes, or it does not.
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        self.postgres.stop()
    }

    fn serve(&mut self, client: &Stream) -> io::Result<()> {
        let server = self.postgres.connect()?;
        self.control.enter(client.try_clone()?);
        let answered = std::thread::scope(|scope| {
            let answers = std::thread::Builder::new()
                .name("tenancy-answers".into())
                .spawn_scoped(scope, || answer(&server, client));
            if answers.is_ok() {
                ask(client, &server);
            }
            // The server sees its client leave, answers what it had been asked
            // and closes; that ends the other thread too.
            let _ = server.shutdown(Shutdown::Write);
            answers.map(drop)
        });
        self.control.leave();
        answered
    }
}

/// Carries what the client says until it leaves or is cut off.
fn ask(mut client: &Stream, mut server: &Stream) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(length @ 1..) = client.read(&mut chunk) {
        if server.write_all(&chunk[..length]).is_err() {
            break;
        }
    }
}

/// Carries what the server says until it closes, and throws it away once the
/// client is gone.
fn answer(mut server: &Stream, mut client: &Stream) {
    let mut chunk = vec![0; CHUNK];
    let mut listening = true;
    while let Ok(length @ 1..) = server.read(&mut chunk) {
        listening = listening && client.write_all(&chunk[..length]).is_ok();
    }
    // Wakes the thread that waits for the client's next words.
    let _ = client.shutdown(Shutdown::Both);
}

/// The way to end a relay from outside its threads.
#[derive(Debug)]
pub(super) struct Control {
    address: Address,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    finishing: bool,
    client: Option<Stream>,
}

impl Control {
    pub(super) fn new(address: Address) -> Self {
        Self {
            address,
            state: Mutex::default(),
        }
    }

    /// Takes no more clients, and hears no more of the present one, which still
    /// gets its answers.
    pub(super) fn finish(&self) {
        let mut state = self.state();
        state.finishing = true;
        if let Some(client) = &state.client {
            let _ = client.shutdown(Shutdown::Read);
        }
        drop(state);
        // Wakes the thread that waits for clients. If that fails there is no
        // thread to wake.
        let _ = socket::connect(&self.address);
    }

    /// Cuts the present client off from answers that it may not read. The server
    /// is not cut off: it would die of that, and recover at the next start.
    pub(super) fn sever(&self) {
        if let Some(client) = &self.state().client {
            let _ = client.shutdown(Shutdown::Both);
        }
    }

    fn enter(&self, client: Stream) {
        let mut state = self.state();
        if state.finishing {
            let _ = client.shutdown(Shutdown::Read);
        }
        state.client = Some(client);
    }

    fn leave(&self) {
        self.state().client = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock can leave it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
