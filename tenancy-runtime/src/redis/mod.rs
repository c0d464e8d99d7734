//! A connection to Redis that all requests of a process share.
//!
//! Redis may be away, and a request must not wait for that to pass: how long one
//! asks is bounded, and while it is known that nobody answers, one asks now and
//! then and the others do not ([`Answer::Away`]). What to do without is the
//! business of who asks.

mod absence;

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionManager, ConnectionManagerConfig, PubSub};
use redis::{Client, ErrorKind, RedisError, RedisResult};
#[cfg(feature = "tls")]
use redis::{ConnectionAddr, IntoConnectionInfo as _, TlsCertificates};
use secrecy::{ExposeSecret, SecretString};

use self::absence::{Absence, Ask};
use crate::problem::Problem;
#[cfg(feature = "tls")]
use crate::tls;

/// How long one waits for Redis, connecting included.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long a client is kept that gets nowhere.
const TRIAL: Duration = Duration::from_millis(500);

/// What came of a command.
pub(crate) enum Answer<T> {
    /// This.
    Given(T),
    /// Redis is there, and does not do it.
    Refused(RedisError),
    /// Nobody answers.
    Away,
}

/// A Redis, and whether it is there.
pub(crate) struct Redis {
    client: Client,
    managed: Mutex<Managed>,
    absence: Absence,
    /// What that means for the application while it is away, for the log.
    without: &'static str,
}

/// A client that keeps a connection, and since when.
struct Managed {
    manager: ConnectionManager,
    since: Instant,
}

impl Redis {
    /// Connects when it is first asked.
    pub(crate) fn open(url: &SecretString, without: &'static str) -> Result<Self, Problem> {
        let client = client(url.expose_secret());
        // The reason is not shown: it may quote the URL.
        let client = client.map_err(|_| not_usable())?;
        let manager = connect(&client).map_err(|_| not_usable())?;
        Ok(Self {
            client,
            managed: Mutex::new(Managed {
                manager,
                since: Instant::now(),
            }),
            absence: Absence::default(),
            without,
        })
    }

    /// What a command goes out on. Whoever drops one half-way leaves it in order:
    /// its answer is read and thrown away.
    pub(crate) fn connection(&self) -> ConnectionManager {
        self.managed().manager.clone()
    }

    /// Runs `command`, which is not begun while nobody answers.
    pub(crate) async fn ask<T>(&self, command: impl Future<Output = RedisResult<T>>) -> Answer<T> {
        self.ask_within(PATIENCE, command).await
    }

    /// The same, for what no request waits for.
    pub(crate) async fn ask_within<T>(
        &self,
        patience: Duration,
        command: impl Future<Output = RedisResult<T>>,
    ) -> Answer<T> {
        let ask = self.absence.ask(Instant::now(), patience);
        if ask == Ask::Rest {
            return Answer::Away;
        }
        match tokio::time::timeout(patience, command).await {
            Ok(Ok(value)) => {
                if self.absence.is_back() {
                    tracing::info!("Redis is back");
                }
                return Answer::Given(value);
            }
            // The client itself connects again.
            Ok(Err(error)) if error.is_io_error() => self.is_away(ask, &error),
            // What is wrong may be this key's only, so the next one asks as usual.
            Ok(Err(error)) if answered(&error) => {
                self.begin_anew();
                return Answer::Refused(error);
            }
            Ok(Err(error)) => {
                self.begin_anew();
                self.is_away(ask, &error);
            }
            Err(late) => {
                self.begin_anew();
                self.is_away(ask, &late);
            }
        }
        Answer::Away
    }

    /// A connection of its own that hears what is published to `channel`.
    pub(crate) async fn subscribe(&self, channel: &str) -> RedisResult<PubSub> {
        let mut pubsub = self.client.get_async_pubsub().await?;
        pubsub.subscribe(channel).await?;
        Ok(pubsub)
    }

    /// Takes another client: one keeps a connection that has only fallen silent,
    /// which behind a failed network it would for a long time, and never tries
    /// again after a login that was refused.
    fn begin_anew(&self) {
        let mut managed = self.managed();
        if managed.since.elapsed() < TRIAL {
            return;
        }
        if let Ok(manager) = connect(&self.client) {
            *managed = Managed {
                manager,
                since: Instant::now(),
            };
        }
    }

    /// Said once, and not for each request.
    fn is_away(&self, ask: Ask, why: &dyn std::fmt::Display) {
        if self.absence.is_away(Instant::now(), ask) {
            tracing::warn!(%why, "Redis is away: {}", self.without);
        }
    }

    fn managed(&self) -> MutexGuard<'_, Managed> {
        // Nothing under the lock can leave it half changed.
        self.managed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that trusts the authorities of all our connections, and not its own
/// list of them, which comes with it for want of another way to have none read anew
/// for each connection.
#[cfg(feature = "tls")]
fn client(url: &str) -> RedisResult<Client> {
    let server = url.into_connection_info()?;
    if !matches!(server.addr(), ConnectionAddr::TcpTls { .. }) {
        return Client::open(server);
    }
    let trusted = TlsCertificates {
        client_tls: None,
        root_cert: Some(tls::authorities_in_pem()),
    };
    Client::build_with_tls(server, trusted)
}

/// A client without TLS. That no URL asks for it was seen to before.
#[cfg(not(feature = "tls"))]
fn client(url: &str) -> RedisResult<Client> {
    Client::open(url)
}

/// Whether this is what Redis said to a command.
fn answered(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

/// Without a limit of the client's own for answers: what is late is seen here,
/// and told from what is refused.
fn connect(client: &Client) -> Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(None)
        .set_number_of_retries(2)
        .set_min_delay(Duration::from_millis(20))
        .set_pipeline_buffer_size(1024);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

fn not_usable() -> Problem {
    Problem::new(
        "TENANCY_REDIS_URL",
        "is no URL that can be used",
        "write it as redis://user:password@host:6379/0, with percent-encoding where it needs some",
    )
}
