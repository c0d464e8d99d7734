use std::future::poll_fn;
use std::time::Duration;

use diesel::sql_types::{Array, BigInt, Text};
use secrecy::SecretString;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_postgres::AsyncMessage;

use crate::db::Pool;
use crate::error::{Error, Result};
#[cfg(feature = "redis")]
use crate::redis::{Answer, Redis};
use crate::tls;

/// The channel in the application's own database.
const CHANNEL: &str = "tenancy_events";

/// What the connection that listens is called in `pg_stat_activity`.
const NAME: &str = "tenancy events";

/// The longest text that PostgreSQL notifies is shorter than 8000 bytes.
const LONGEST_NOTIFICATION: usize = 7_999;

#[cfg(feature = "redis")]
const LONGEST_MESSAGE: usize = 64 * 1024;

const CONNECTING: Duration = Duration::from_secs(2);

/// How long it may take to send a batch: what is late is lost.
const SENDING: Duration = Duration::from_secs(2);

/// What takes events from one process to all of them.
pub(crate) enum Carrier {
    /// `NOTIFY` on a pool, and `LISTEN` on a connection of its own.
    Postgres {
        pool: Pool,
        login: Box<tokio_postgres::Config>,
    },
    /// A channel of the application's own.
    #[cfg(feature = "redis")]
    Redis { redis: Box<Redis>, channel: String },
}

impl Carrier {
    pub(crate) fn postgres(pool: Pool, mut login: tokio_postgres::Config) -> Self {
        login.application_name(NAME);
        let login = Box::new(login);
        Self::Postgres { pool, login }
    }

    #[cfg(feature = "redis")]
    pub(crate) fn over_redis(url: &SecretString, application: &str) -> Result<Self> {
        let redis = Redis::open(url, "events reach subscribers of one process only")?;
        let redis = Box::new(redis);
        // The length keeps applications apart whatever they are called.
        let channel = format!("tenancy:events:1:{}:{application}", application.len());
        Ok(Self::Redis { redis, channel })
    }

    /// Refused elsewhere, with the words for it.
    #[cfg(not(feature = "redis"))]
    pub(crate) fn over_redis(_: &SecretString, _: &str) -> Result<Self> {
        Err(Error::internal("this build knows no Redis"))
    }

    /// The longest message that it takes.
    pub(super) fn longest(&self) -> usize {
        match self {
            Self::Postgres { .. } => LONGEST_NOTIFICATION,
            #[cfg(feature = "redis")]
            Self::Redis { .. } => LONGEST_MESSAGE,
        }
    }

    /// Sends messages, in this order.
    pub(super) async fn send(&self, messages: Vec<String>) -> Result<()> {
        match self {
            Self::Postgres { pool, .. } => {
                let sent = timeout(SENDING, notify(pool, messages)).await;
                sent.unwrap_or_else(|late| Err(Error::unavailable(late)))
            }
            #[cfg(feature = "redis")]
            Self::Redis { redis, channel } => {
                let mut connection = redis.connection();
                let mut pipe = redis::pipe();
                for message in messages {
                    pipe.publish(channel, message).ignore();
                }
                let publish = pipe.query_async::<()>(&mut connection);
                match redis.ask_within(SENDING, publish).await {
                    Answer::Given(()) => Ok(()),
                    Answer::Refused(error) => Err(Error::unavailable(error)),
                    Answer::Away => Err(Error::unavailable("Redis is away")),
                }
            }
        }
    }

    /// Hands on what is sent, and has a message sent when it listens. Ends when the
    /// connection does.
    pub(super) async fn listen(
        &self,
        listens: &Notify,
        hear: impl FnMut(&str) + Send,
    ) -> Result<()> {
        match self {
            Self::Postgres { login, .. } => listen(login, listens, hear).await,
            #[cfg(feature = "redis")]
            Self::Redis { redis, channel } => {
                use futures_util::StreamExt as _;
                let mut hear = hear;
                let subscribed = timeout(CONNECTING, redis.subscribe(channel)).await;
                let mut subscribed = subscribed
                    .map_err(Error::unavailable)?
                    .map_err(Error::unavailable)?;
                listens.notify_one();
                let mut messages = subscribed.on_message();
                while let Some(message) = messages.next().await {
                    match message.get_payload::<String>() {
                        Ok(text) => hear(&text),
                        Err(_) => hear(""),
                    }
                }
                Err(Error::unavailable("the connection to Redis was closed"))
            }
        }
    }
}

/// One statement for all of them, so that they leave in one transaction and arrive
/// one behind the other.
async fn notify(pool: &Pool, messages: Vec<String>) -> Result<()> {
    #[derive(diesel::QueryableByName)]
    struct Sent {
        #[diesel(sql_type = BigInt)]
        sent: i64,
    }
    let count = messages.len();
    let query = diesel::sql_query(
        "SELECT count(pg_notify($1, message)::text) AS sent FROM unnest($2::text[]) AS message",
    );
    let query = query.bind::<Text, _>(CHANNEL);
    let query = query.bind::<Array<Text>, _>(messages);
    let sent: Vec<Sent> = pool.read(query).await?;
    match sent.first() {
        Some(Sent { sent }) if usize::try_from(*sent) == Ok(count) => Ok(()),
        _ => Err(Error::internal("not all messages were notified")),
    }
}

async fn listen(
    login: &tokio_postgres::Config,
    listens: &Notify,
    mut hear: impl FnMut(&str) + Send,
) -> Result<()> {
    let connected = timeout(CONNECTING, tls::connect(login)).await;
    let (client, mut connection) = connected
        .map_err(Error::unavailable)?
        .map_err(Error::unavailable)?;
    let hearing = async {
        loop {
            match poll_fn(|context| connection.poll_message(context)).await {
                Some(Ok(AsyncMessage::Notification(notification))) => {
                    hear(notification.payload());
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Error::unavailable(error)),
                None => return Err(Error::unavailable("the connection was closed")),
            }
        }
    };
    let asking = async {
        let listen = format!("LISTEN {CHANNEL}");
        let asked = client.batch_execute(&listen).await;
        asked.map_err(Error::unavailable)?;
        listens.notify_one();
        // The connection stays for as long as its client does.
        std::future::pending().await
    };
    tokio::select! {
        ended = hearing => ended,
        ended = asking => ended,
    }
}
