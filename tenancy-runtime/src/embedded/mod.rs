//! PostgreSQL inside the process, so that `cargo run` works on a machine with
//! nothing but Rust. For development: one client at a time, and a crash of the
//! machine may lose what was written last (`fsync` is off).
//!
//! The database is the crate `pglite-oxide`: PostgreSQL 17.5 compiled to
//! WebAssembly, shipped as an ordinary dependency. Its server ends for good when
//! a client goes away in the middle of an answer, and cannot be stopped while a
//! client stays. Dropped clients are normal traffic here, so clients talk to a
//! relay of ours (`relay`), which keeps the server's end of the
//! conversation in order, lets the present client go at the stop, and starts
//! the server anew if it died.
//!
//! Every client logs in as the superuser `postgres`, as the URL says; roles are
//! taken with `set_config('role', …, true)` inside a transaction. A second
//! client waits until the first has left, and so does a cancel request, which
//! is a client too: a statement cannot be cancelled, only outlived.

mod error;
mod place;
mod postgres;
mod relay;
mod socket;
mod stale;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::config::Embedded;

pub use error::EmbeddedError;

/// How long the present client's statement gets to end at the stop; after that
/// the client is cut off, and the server gets the same time again.
const PATIENCE: Duration = Duration::from_secs(3);

/// A PostgreSQL that runs inside this process, for development.
///
/// ```no_run
/// use tenancy_runtime::config::Embedded;
/// use tenancy_runtime::embedded::EmbeddedServer;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let server = EmbeddedServer::start(&Embedded::Temporary).await?;
/// let (client, connection) = tokio_postgres::connect(server.url(), tokio_postgres::NoTls).await?;
/// # drop((client, connection));
/// server.stop().await?;
/// # Ok(())
/// # }
/// ```
///
/// Dropping it stops it too, and blocks the thread for the time that takes:
/// some 20 ms, at most three seconds.
#[derive(Debug)]
pub struct EmbeddedServer {
    url: String,
    control: Arc<relay::Control>,
    /// `None` once it has been awaited.
    end: Option<oneshot::Receiver<Result<(), String>>>,
}

impl EmbeddedServer {
    /// Starts PostgreSQL in `place`, and makes the place if it is not there: a
    /// new folder gets a `.gitignore` that keeps it out of version control.
    ///
    /// The server listens when this returns (0.1 s; 0.5 s the first time a user
    /// runs it), and opens its files with the first client (0.7 to 1 s).
    ///
    /// # Errors
    ///
    /// [`EmbeddedError::Folder`] and [`EmbeddedError::InUse`] when the folder
    /// cannot be had, [`EmbeddedError::Socket`] when there is no place for the
    /// socket, [`EmbeddedError::Start`] when PostgreSQL itself does not start.
    pub async fn start(place: &Embedded) -> Result<Self, EmbeddedError> {
        let place = place.clone();
        tokio::task::spawn_blocking(move || Self::start_blocking(&place))
            .await
            .map_err(|error| EmbeddedError::Start(error.to_string()))?
    }

    fn start_blocking(place: &Embedded) -> Result<Self, EmbeddedError> {
        let began = Instant::now();
        let place = place::Place::take(place)?;
        let postgres = postgres::Postgres::start(place)?;
        let (url, listener) = socket::listen(postgres.scratch()).map_err(EmbeddedError::Socket)?;
        let control = Arc::new(relay::Control::new(listener.address()));
        let relay = relay::Relay::new(listener, postgres, Arc::clone(&control));
        let (ended, end) = oneshot::channel();
        // A thread of its own and not one of the runtime's: the runtime waits
        // for its blocking threads when it ends, and this one may be stuck in
        // a statement.
        std::thread::Builder::new()
            .name("tenancy-embedded".into())
            .spawn(move || {
                // Nobody listens any more if the wait for it was given up.
                let _ = ended.send(relay.run());
            })
            .map_err(EmbeddedError::Socket)?;
        tracing::debug!(elapsed = ?began.elapsed(), "the embedded PostgreSQL listens");
        Ok(Self {
            url,
            control,
            end: Some(end),
        })
    }

    /// The URL to connect to, for `tokio_postgres::connect` and
    /// `AsyncPgConnection::establish`: the superuser `postgres` in the database
    /// `postgres`, over a Unix socket that only this user can reach, or over
    /// TCP on 127.0.0.1 where there are none.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops PostgreSQL. Close the clients first: one that is still there gets
    /// the answer to what it has sent, and is cut off after three seconds. What
    /// it has not committed is rolled back.
    ///
    /// # Errors
    ///
    /// [`EmbeddedError::StillBusy`] after six seconds with a statement that does
    /// not end; it is left behind on its thread, which does not keep the process
    /// from ending. [`EmbeddedError::Stop`] when PostgreSQL ended badly. A folder
    /// keeps what was committed in either case.
    pub async fn stop(mut self) -> Result<(), EmbeddedError> {
        let Some(mut end) = self.end.take() else {
            return Ok(());
        };
        self.control.finish();
        let ended = match timeout(PATIENCE, &mut end).await {
            Ok(ended) => ended,
            Err(_) => {
                self.control.sever();
                timeout(PATIENCE, end)
                    .await
                    .map_err(|_| EmbeddedError::StillBusy)?
            }
        };
        ended
            .unwrap_or_else(|_| Err("its thread panicked".to_owned()))
            .map_err(EmbeddedError::Stop)
    }
}

impl Drop for EmbeddedServer {
    fn drop(&mut self) {
        let Some(mut end) = self.end.take() else {
            return;
        };
        self.control.finish();
        self.control.sever();
        // Polled, as a blocking receive panics inside a runtime.
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if !matches!(end.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        tracing::warn!("the embedded PostgreSQL is left behind in a statement that does not end");
    }
}
