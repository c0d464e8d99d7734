//! Counting in Redis, which several processes share.
//!
//! One call of a script reads the clock of the server, looks at all limits of a
//! request and counts it: no two requests can both be the last one, and it does
//! not matter what time the processes think it is.

use std::time::Duration;

use redis::Script;
use secrecy::SecretString;

use super::key::Counter;
use super::{Outcome, Reading, WithoutRedis, window};
use crate::error::{Error, Result};
use crate::redis::{Answer, Redis};

const SCRIPT: &str = include_str!("script.lua");

pub(super) struct RedisStore {
    redis: Redis,
    script: Script,
    without: WithoutRedis,
}

impl RedisStore {
    /// Connects with the first request, or with [`prepare`](Self::prepare).
    pub(super) fn new(url: &SecretString, without: WithoutRedis) -> Result<Self> {
        let meanwhile = match without {
            WithoutRedis::Allow => "requests are let through without a limit",
            WithoutRedis::Refuse => "requests with a limit are refused",
        };
        Ok(Self {
            redis: Redis::open(url, meanwhile)?,
            script: Script::new(SCRIPT),
            without,
        })
    }

    /// Loads the script, so that the first request is as quick as the others.
    /// It is no hindrance to the start if Redis is away.
    pub(super) async fn prepare(&self) {
        let mut connection = self.redis.connection();
        let loading = self.redis.ask(self.script.load_async(&mut connection));
        match loading.await {
            Answer::Given(_) => tracing::info!("requests are counted in Redis, for all processes"),
            Answer::Refused(error) => tracing::warn!(%error, "Redis does not count requests"),
            Answer::Away => {}
        }
    }

    /// Counts one request for all of `counters`, or for none; `None` is for a
    /// request that is let through without being counted.
    pub(super) async fn take(
        &self,
        application: &str,
        counters: &[Counter],
    ) -> Result<Option<Outcome>> {
        let mut call = self.script.prepare_invoke();
        for Counter { key, limit } in counters {
            call.key(key.name(application))
                .arg(limit.requests())
                .arg(window::slice_micros(key.per));
        }
        let mut connection = self.redis.connection();
        let answer = call.invoke_async::<Vec<i64>>(&mut connection);
        match self.redis.ask(answer).await {
            Answer::Given(numbers) => return outcome(&numbers).map(Some),
            Answer::Refused(error) => tracing::warn!(%error, "Redis does not count a request"),
            Answer::Away => {}
        }
        match self.without {
            WithoutRedis::Allow => Ok(None),
            WithoutRedis::Refuse => {
                Err(Error::unavailable("Redis, which counts requests, is away"))
            }
        }
    }
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
