//! Hearing of changes in other processes: a trigger on `tenancy.tenants` notifies
//! all who listen, when the transaction that changed a tenant has committed; so do
//! triggers for the domains of tenants' own.
//!
//! That needs a connection of its own which nobody else uses. Behind a pooler in
//! transaction mode `LISTEN` is accepted and nothing ever arrives; so a process
//! believes that it hears only when a notification of its own has come back, sent
//! over another connection. From then on the connection is asked three times a
//! second whether it is still there, and every few seconds a notification is sent
//! again: after a failover the registry may be read from another server than the
//! one that is listened to, which goes on answering.

use std::future::poll_fn;
use std::time::Duration;

use diesel::sql_types::Text;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use tokio_postgres::{AsyncMessage, Client};
use uuid::Uuid;

use super::TenantCache;
use crate::db::Pool;
use crate::error::{Error, Result};
use crate::http::HostName;
use crate::tenant::Slug;
use crate::tls;

/// The channel. What it carries is a slug; a domain, which has a dot; nothing, when
/// all may have changed; or the proof of a process that it hears, which begins with
/// a `?`.
const CHANNEL: &str = "tenancy_tenants";

/// How many triggers notify.
const TRIGGERS: usize = 3;

/// What the connection is called in `pg_stat_activity`.
const NAME: &str = "tenancy changes";

const ASK: Duration = Duration::from_millis(300);

/// How long an answer may take. With [`ASK`] it is less than an entry counts as
/// told (`HEARD`).
const ANSWER: Duration = Duration::from_millis(500);

/// How long a proof that changes are heard is believed.
const PROVE: Duration = Duration::from_secs(5);

/// How long it waits to try again, at first and at last.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What notifications carried.
type Payloads = mpsc::UnboundedReceiver<String>;

/// Why changes are not heard.
enum Unheard {
    /// Nothing could be sent.
    Unasked(Error),
    /// Nobody tells of them.
    Untold,
    /// What is told does not arrive.
    Lost,
}

impl From<Unheard> for Error {
    fn from(unheard: Unheard) -> Self {
        match unheard {
            Unheard::Unasked(error) => error,
            Unheard::Untold => Self::unavailable(
                "`tenancy.tenants` and `tenancy.domains` lack a trigger that announces changes; \
                 run the subcommand `migrate`",
            ),
            Unheard::Lost => Self::unavailable(
                "a notification did not arrive; behind a pooler in transaction mode none does",
            ),
        }
    }
}

/// Keeps `cache` right until it is dropped, over a connection of its own by
/// `login` to the database from which `lookups` reads.
pub(crate) async fn listen(cache: TenantCache, lookups: Pool, login: tokio_postgres::Config) {
    let mut pause = PAUSE;
    let mut said = false;
    loop {
        let mut heard = false;
        let ended = session(&cache, &lookups, &login, &mut heard).await;
        cache.deaf();
        if heard {
            (pause, said) = (PAUSE, false);
        }
        if let Err(error) = ended
            && !std::mem::replace(&mut said, true)
        {
            tracing::warn!(
                %error,
                "changes of tenants are not notified: they are looked up every second instead"
            );
        }
        sleep(pause).await;
        // Where it never works, behind a pooler, it is not tried all the time.
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Listens for as long as that works.
async fn session(
    cache: &TenantCache,
    lookups: &Pool,
    login: &tokio_postgres::Config,
    heard: &mut bool,
) -> Result<()> {
    let mut login = login.clone();
    login.application_name(NAME);
    let (client, mut connection) = timeout(ANSWER * 4, tls::connect(&login))
        .await
        .map_err(Error::unavailable)?
        .map_err(Error::unavailable)?;
    let (changes_to, changes) = mpsc::unbounded_channel();
    let (proofs_to, mut proofs) = mpsc::unbounded_channel();
    // Ends with this function, and its connection with it.
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(notification) = message {
                let payload = notification.payload().to_owned();
                let to = if payload.starts_with('?') {
                    &proofs_to
                } else {
                    &changes_to
                };
                let _ = to.send(payload);
            }
        }
    });
    ask(&client, &format!("LISTEN {CHANNEL}")).await?;
    prove(lookups, &mut proofs).await?;
    // Whatever was read before may have changed unheard.
    cache.forget_all();
    cache.heard();
    *heard = true;
    tracing::debug!("changes of tenants are notified");
    tokio::select! {
        () = obey(cache, changes) => Err(Error::unavailable("the connection was closed")),
        ended = keep_asking(cache, &client) => ended,
        ended = keep_proving(lookups, &mut proofs) => ended,
    }
}

/// Has a notification come back, again and again.
async fn keep_proving(lookups: &Pool, proofs: &mut Payloads) -> Result<()> {
    loop {
        sleep(PROVE).await;
        match prove(lookups, proofs).await {
            // A registry that cannot be asked says nothing about who is heard.
            Err(Unheard::Unasked(_)) | Ok(()) => {}
            Err(unheard) => return Err(unheard.into()),
        }
    }
}

/// Has a notification come back.
async fn prove(lookups: &Pool, proofs: &mut Payloads) -> Result<(), Unheard> {
    #[derive(diesel::QueryableByName)]
    struct Sent {
        #[diesel(sql_type = Text)]
        trigger: String,
    }
    let proof = format!("?{}", Uuid::now_v7());
    let query = diesel::sql_query(
        "SELECT tgname::text || pg_notify($1, $2)::text AS trigger FROM pg_catalog.pg_trigger \
         WHERE (tgrelid = to_regclass('tenancy.tenants') \
             AND tgname IN ('announce', 'announce_domains') \
             OR tgrelid = to_regclass('tenancy.domains') AND tgname = 'announce') \
         AND tgenabled = 'A'",
    );
    let query = query
        .bind::<Text, _>(CHANNEL)
        .bind::<Text, _>(proof.clone());
    let sent: Vec<Sent> = lookups.read(query).await.map_err(Unheard::Unasked)?;
    let sent = sent.iter().filter(|sent| !sent.trigger.is_empty()).count();
    if sent != TRIGGERS {
        return Err(Unheard::Untold);
    }
    let come_back = async {
        while let Some(payload) = proofs.recv().await {
            if payload == proof {
                return true;
            }
        }
        false
    };
    match timeout(ANSWER * 2, come_back).await {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(Unheard::Lost),
    }
}

/// Forgets what has changed, until the connection ends.
async fn obey(cache: &TenantCache, mut changes: Payloads) {
    while let Some(payload) = changes.recv().await {
        // No slug has a dot, and every domain has one.
        if let Ok(slug) = payload.parse::<Slug>() {
            cache.forget(&slug);
        } else if let Ok(domain) = payload.parse::<HostName>() {
            cache.forget_domain(&domain);
        } else {
            cache.forget_all();
        }
    }
}

/// What was notified before an answer arrives before it.
async fn keep_asking(cache: &TenantCache, client: &Client) -> Result<()> {
    let mut clock = interval(ASK);
    loop {
        clock.tick().await;
        ask(client, "").await?;
        cache.heard();
    }
}

async fn ask(client: &Client, sql: &str) -> Result<()> {
    timeout(ANSWER, client.batch_execute(sql))
        .await
        .map_err(Error::unavailable)?
        .map_err(Error::unavailable)
}
