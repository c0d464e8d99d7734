use axum::extract::ws::{Message, close_code};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::ending::Ending;
use crate::error::{Error, Result};
use crate::events::{Delivery, End, Event, Subscription};

/// A WebSocket of one tenant. What is sent and received is JSON, a text message each.
///
/// ```
/// use axum::response::Response;
/// use serde::Deserialize;
/// use tenancy_runtime::db::TenantDb;
/// use tenancy_runtime::error::Result;
/// use tenancy_runtime::events::{TenantEvents, TenantWebSocket};
///
/// #[derive(Deserialize)]
/// struct Note {
///     text: String,
/// }
///
/// async fn store(db: TenantDb, note: Note) -> Result<Option<usize>> {
///     let mut conn = db.conn().await?;
///     // … stores it, and gives the connection back.
/// #   drop(&mut conn);
///     Ok(Some(note.text.len()))
/// }
///
/// /// Sends every event of the tenant, and stores the notes that come.
/// async fn notes(socket: TenantWebSocket, events: TenantEvents, db: TenantDb) -> Response {
///     socket.on_upgrade(async move |mut socket| {
///         let subscription = events.subscribe().await;
///         socket.exchange(subscription, |note| store(db.clone(), note)).await
///     })
/// }
/// ```
#[derive(Debug)]
pub struct TenantSocket {
    pub(super) outgoing: mpsc::Sender<Outgoing>,
    pub(super) received: mpsc::Receiver<Message>,
}

/// What lies between a handler and its socket.
#[derive(Debug)]
pub(super) enum Outgoing {
    Message(Message),
    /// Itself and no copy of its text: all sockets share that, and it counts as kept.
    Event(Event),
}

impl Outgoing {
    pub(super) fn message(self) -> Message {
        match self {
            Self::Message(message) => message,
            Self::Event(event) => Message::Text(event.message()),
        }
    }
}

impl TenantSocket {
    /// Sends a value. Waits while the peer does not read; one that does not for ten
    /// seconds is given up
    /// ([`send_within`](super::TenantWebSocket::send_within)). Safe to drop: then it
    /// is sent or not.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] when the peer has gone, and [`Error::Internal`] when the
    /// value has no form as JSON.
    pub async fn send(&self, value: &(impl Serialize + Sync)) -> Result<()> {
        let text = serde_json::to_string(value).map_err(Error::internal)?;
        self.put(Message::Text(text.into())).await
    }

    /// Sends what a subscription hands out ([`Delivery::to_json`]).
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] when the peer has gone.
    pub async fn deliver(&self, delivery: &Delivery) -> Result<()> {
        match delivery {
            Delivery::Event(event) => self.hand_over(Outgoing::Event(event.clone())).await,
            missed @ Delivery::Missed { .. } => {
                self.put(Message::Text(missed.to_json().into())).await
            }
        }
    }

    /// The next message from the peer; `None` when it has gone. Safe to drop.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidInput`] for a message that does not read as `T`; a handler that
    /// passes it on closes the socket with 1007.
    pub async fn receive<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        let message = self.received.recv().await;
        message.map(|message| read(&message)).transpose()
    }

    /// Sends all that a subscription hands out, until it or the peer ends. Messages
    /// from the peer are dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] when the peer has gone.
    pub async fn forward(&mut self, mut subscription: Subscription) -> Result<()> {
        loop {
            tokio::select! {
                delivery = subscription.next() => match delivery {
                    Some(delivery) => self.deliver(&delivery).await?,
                    None => return self.ended(subscription.end()).await,
                },
                message = self.received.recv() => if message.is_none() {
                    return Ok(());
                },
            }
        }
    }

    /// Sends all that a subscription hands out, and answers each message from the peer
    /// with what `on_message` returns for it, if that is anything. Events wait while
    /// it works.
    ///
    /// # Errors
    ///
    /// Those of `on_message`, [`Error::InvalidInput`] for a message that does not read
    /// as `T`, and [`Error::Unavailable`] when the peer has gone.
    pub async fn exchange<T, F, R>(
        &mut self,
        mut subscription: Subscription,
        // No `AsyncFnMut`: of what one borrows, the compiler does not see that it may
        // go to another thread.
        mut on_message: impl FnMut(T) -> F,
    ) -> Result<()>
    where
        T: DeserializeOwned,
        F: Future<Output = Result<Option<R>>>,
        R: Serialize + Sync,
    {
        loop {
            tokio::select! {
                delivery = subscription.next() => match delivery {
                    Some(delivery) => self.deliver(&delivery).await?,
                    None => return self.ended(subscription.end()).await,
                },
                message = self.received.recv() => {
                    let Some(message) = message else {
                        return Ok(());
                    };
                    if let Some(answer) = on_message(read(&message)?).await? {
                        self.send(&answer).await?;
                    }
                }
            }
        }
    }

    /// Closes the socket with a code of [RFC 6455], or of your own from 4000 to 4999,
    /// and a reason of up to 123 bytes, after all that was sent.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] for a code that may not be sent, and
    /// [`Error::Unavailable`] when the peer has gone.
    ///
    /// [RFC 6455]: https://www.rfc-editor.org/rfc/rfc6455#section-7.4
    pub async fn close(self, code: u16, reason: &str) -> Result<()> {
        let may_be_sent = matches!(
            code,
            close_code::NORMAL..=close_code::UNSUPPORTED
                | close_code::INVALID..=close_code::AGAIN
                | 3_000..=4_999
        );
        if !may_be_sent {
            return Err(Error::internal(format!(
                "{code} is no code by which a WebSocket is closed: those of an application's \
                 own are 4000 to 4999"
            )));
        }
        self.put(Ending::new(code, reason).message()).await
    }

    /// What a subscription ended by ends the socket.
    async fn ended(&self, end: Option<End>) -> Result<()> {
        match end {
            Some(end) => self.put(Ending::of_end(end).message()).await,
            None => Ok(()),
        }
    }

    async fn put(&self, message: Message) -> Result<()> {
        self.hand_over(Outgoing::Message(message)).await
    }

    async fn hand_over(&self, outgoing: Outgoing) -> Result<()> {
        let sent = self.outgoing.send(outgoing).await;
        sent.map_err(|_| Error::unavailable("the peer of a WebSocket has gone"))
    }
}

fn read<T: DeserializeOwned>(message: &Message) -> Result<T> {
    let Message::Text(text) = message else {
        let refusal = "messages are JSON, as text".to_owned();
        return Err(Error::InvalidInput(refusal));
    };
    serde_json::from_str(text)
        .map_err(|error| Error::InvalidInput(format!("a message does not read: {error}")))
}
