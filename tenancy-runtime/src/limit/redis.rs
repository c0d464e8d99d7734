//! Counting in Redis, which several processes share.
//!
//! One call of a script reads the clock of the server, looks at all limits of a
//! request and counts it: no two requests can both be the last one, and it does
//! not matter what time the processes think it is. The connection is the
//! client's business: one for all requests, made anew with growing delays.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ErrorKind, RedisError, Script};
use secrecy::{ExposeSecret, SecretString};

use super::absence::{Absence, Ask};
use super::key::Counter;
use super::{Outcome, Reading, WithoutRedis, window};
use crate::error::{Error, Result};
use crate::problem::Problem;

const SCRIPT: &str = include_str!("script.lua");

/// How long a request waits for Redis, connecting included.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long a client is kept that gets nowhere.
const TRIAL: Duration = Duration::from_millis(500);

pub(super) struct RedisStore {
    client: Client,
    script: Script,
    without: WithoutRedis,
    manager: Mutex<Managed>,
    absence: Absence,
}

/// A client that keeps a connection, and since when.
struct Managed {
    manager: ConnectionManager,
    since: Instant,
}

impl RedisStore {
    /// Connects with the first request, or with [`prepare`](Self::prepare).
    pub(super) fn new(url: &SecretString, without: WithoutRedis) -> Result<Self> {
        let client = Client::open(url.expose_secret());
        // The reason is not shown: it may quote the URL.
        let client = client.map_err(|_| not_usable())?;
        let manager = connect(&client).map_err(|_| not_usable())?;
        Ok(Self {
            client,
            script: Script::new(SCRIPT),
            without,
            manager: Mutex::new(Managed {
                manager,
                since: Instant::now(),
            }),
            absence: Absence::default(),
        })
    }

    /// Loads the script, so that the first request is as quick as the others.
    /// It is no hindrance to the start if Redis is away.
    pub(super) async fn prepare(&self) {
        let mut connection = self.connection();
        let loading = tokio::time::timeout(PATIENCE, self.script.load_async(&mut connection));
        match loading.await {
            Ok(Ok(_)) => tracing::info!("requests are counted in Redis, for all processes"),
            Ok(Err(error)) => self.is_away(Ask::Usual, &error),
            Err(late) => self.is_away(Ask::Usual, &late),
        }
    }

    /// Counts one request for all of `counters`, or for none; `None` is for a
    /// request that is let through without being counted.
    pub(super) async fn take(
        &self,
        application: &str,
        counters: &[Counter],
    ) -> Result<Option<Outcome>> {
        let ask = self.absence.ask(Instant::now(), PATIENCE);
        if ask == Ask::Rest {
            return self.without_redis();
        }
        let mut call = self.script.prepare_invoke();
        for Counter { key, limit } in counters {
            call.key(key.name(application))
                .arg(limit.requests())
                .arg(window::slice_micros(key.per));
        }
        let mut connection = self.connection();
        // A request that is dropped here leaves the connection in order: its
        // answer is read and thrown away.
        let answer = call.invoke_async::<Vec<i64>>(&mut connection);
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(numbers)) => {
                if self.absence.is_back() {
                    tracing::info!("Redis is back: requests are counted again");
                }
                return outcome(&numbers).map(Some);
            }
            // The client itself connects again.
            Ok(Err(error)) if error.is_io_error() => self.is_away(ask, &error),
            // It is there and does not count: what is wrong may be this key's only,
            // so the next request asks as usual.
            Ok(Err(error)) if answered(&error) => {
                tracing::warn!(%error, "Redis does not count a request");
                self.begin_anew();
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
        self.without_redis()
    }

    fn connection(&self) -> ConnectionManager {
        locked(&self.manager).manager.clone()
    }

    /// Takes another client: one keeps a connection that has only fallen silent,
    /// which behind a failed network it would for a long time, and never tries
    /// again after a login that was refused.
    fn begin_anew(&self) {
        let mut managed = locked(&self.manager);
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
            let until_it_is_back = match self.without {
                WithoutRedis::Allow => "requests are let through without a limit",
                WithoutRedis::Refuse => "requests with a limit are refused",
            };
            tracing::warn!(%why, "Redis is away: {until_it_is_back}");
        }
    }

    fn without_redis(&self) -> Result<Option<Outcome>> {
        match self.without {
            WithoutRedis::Allow => Ok(None),
            WithoutRedis::Refuse => {
                Err(Error::unavailable("Redis, which counts requests, is away"))
            }
        }
    }
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

/// The script's answer.
fn outcome(numbers: &[i64]) -> Result<Outcome> {
    let unexpected = || Error::internal("the script that counts requests answers otherwise");
    let (admitted, readings) = numbers.split_first().ok_or_else(unexpected)?;
    let readings = readings.chunks_exact(2).map(|pair| Reading {
        used: u32::try_from(pair[0]).unwrap_or(u32::MAX),
        more_after: Duration::from_micros(u64::try_from(pair[1]).unwrap_or(0)),
    });
    Ok(Outcome {
        admitted: *admitted == 1,
        readings: readings.collect(),
    })
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
