//! Hearing of changes in other processes: a trigger on `tenancy.tenants` notifies
//! all who listen, when the transaction that changed a tenant has committed; so do
//! triggers for the domains of tenants' own.
//!
//! That needs a connection of its own which nobody else uses. Behind a pooler in
//! transaction mode `LISTEN` is accepted and nothing ever arrives; so a process
//! believes that it hears only when a notification of its own has come back, sent
//! over another connection. From then on the connection is asked twice a second
//! whether it is still there.

use std::future::poll_fn;
use std::time::Duration;

use diesel::sql_types::Text;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use tokio_postgres::{AsyncMessage, Client, NoTls};
use uuid::Uuid;

use super::TenantCache;
use crate::db::Pool;
use crate::error::{Error, Result};
use crate::http::HostName;
use crate::tenant::Slug;

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

/// How long it waits to try again, at first and at last.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Keeps `cache` right until it is dropped, over a connection of its own by
/// `login` to the database that `app` leads to.
pub(crate) async fn listen(cache: TenantCache, app: Pool, login: tokio_postgres::Config) {
    let mut pause = PAUSE;
    let mut said = false;
    loop {
        let mut heard = false;
        let ended = session(&cache, &app, &login, &mut heard).await;
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
    app: &Pool,
    login: &tokio_postgres::Config,
    heard: &mut bool,
) -> Result<()> {
    let mut login = login.clone();
    login.application_name(NAME);
    let (client, mut connection) = timeout(ANSWER * 4, login.connect(NoTls))
        .await
        .map_err(Error::unavailable)?
        .map_err(Error::unavailable)?;
    let (sender, mut payloads) = mpsc::unbounded_channel();
    // Ends with this function, and its connection with it.
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(notification) = message {
                let _ = sender.send(notification.payload().to_owned());
            }
        }
    });
    ask(&client, &format!("LISTEN {CHANNEL}")).await?;
    prove(app, &mut payloads).await?;
    // Whatever was read before may have changed unheard.
    cache.forget_all();
    cache.heard();
    *heard = true;
    tracing::debug!("changes of tenants are notified");
    tokio::select! {
        () = obey(cache, &mut payloads) => Err(Error::unavailable("the connection was closed")),
        ended = keep_asking(cache, &client) => ended,
    }
}

/// Has a notification come back.
async fn prove(app: &Pool, payloads: &mut mpsc::UnboundedReceiver<String>) -> Result<()> {
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
    let sent: Vec<Sent> = app.read(query).await?;
    let sent = sent.iter().filter(|sent| !sent.trigger.is_empty()).count();
    if sent != TRIGGERS {
        return Err(Error::unavailable(
            "`tenancy.tenants` and `tenancy.domains` lack a trigger that announces changes; run \
             the subcommand `migrate`",
        ));
    }
    let come_back = async {
        while let Some(payload) = payloads.recv().await {
            if payload == proof {
                return true;
            }
        }
        false
    };
    match timeout(ANSWER * 2, come_back).await {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(Error::unavailable(
            "a notification did not arrive; behind a pooler in transaction mode none does",
        )),
    }
}

/// Forgets what has changed, until the connection ends.
async fn obey(cache: &TenantCache, payloads: &mut mpsc::UnboundedReceiver<String>) {
    while let Some(payload) = payloads.recv().await {
        if payload.starts_with('?') {
            continue;
        }
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
