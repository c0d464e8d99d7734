use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, close_code};
use futures_util::FutureExt as _;
use futures_util::sink::{Sink, SinkExt as _};
use futures_util::stream::{Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval_at, sleep, timeout};

use super::ending::Ending;
use super::tenant_socket::{Outgoing, TenantSocket};
use crate::admit::Revocation;
use crate::error::Result;
use crate::events::End;
use crate::events::places::Place;
use crate::events::stopping::Stay;

/// The most messages that lie between the socket and its handler, each way.
const WAITING: usize = 16;

/// How long the word that a socket is closed may take to leave.
const CLOSE: Duration = Duration::from_millis(500);

/// How long the peer may take to answer it.
const ANSWER: Duration = Duration::from_secs(1);

/// How long the handler may take to end when the peer has gone.
const GRACE: Duration = Duration::from_secs(10);

/// What a socket goes by.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) revocation: Revocation,
    pub(super) stay: Stay,
    /// Given back when the socket is gone.
    pub(super) _place: Place,
    pub(super) ping: Duration,
    pub(super) send: Duration,
}

/// What is known of the peer.
#[derive(Debug, Default)]
struct Peer {
    /// Something came since it was last pinged.
    heard: AtomicBool,
    /// Nothing is read, since the handler does not take what came.
    held_up: AtomicBool,
}

/// How the peer, or what is sent to it, comes to an end.
enum Over {
    /// There is nothing more to send.
    Sent,
    /// The socket was closed, by the one or the other.
    Closed,
    /// The peer does not read, does not answer, or is not there.
    Gone,
    /// It has sent what is not taken.
    Refused(Ending),
}

/// Drives a socket to its end.
pub(super) async fn drive<C, F>(socket: WebSocket, mut terms: Terms, handler: C)
where
    C: FnOnce(TenantSocket) -> F + Send,
    F: Future<Output = Result<()>> + Send,
{
    let (mut sink, mut stream) = socket.split();
    let over = converse(&mut sink, &mut stream, &mut terms, handler).await;
    // The handler is gone, and with it what it held of the tenant's.
    let said = match over {
        Over::Gone => return,
        Over::Sent | Over::Closed => timeout(CLOSE, sink.close()).await,
        Over::Refused(ending) => timeout(CLOSE, sink.send(ending.message())).await,
    };
    if let Ok(Ok(())) = said {
        // Until the peer has read it: a connection that is closed on what it still
        // sends would be reset, and the word lost.
        let rest = async { while let Some(Ok(_)) = stream.next().await {} };
        let _ = timeout(ANSWER, rest).await;
    }
}

async fn converse<C, F>(
    sink: &mut (impl Sink<Message> + Unpin + Send),
    stream: &mut (impl Stream<Item = Result<Message, axum::Error>> + Unpin + Send),
    terms: &mut Terms,
    handler: C,
) -> Over
where
    C: FnOnce(TenantSocket) -> F + Send,
    F: Future<Output = Result<()>> + Send,
{
    let (outgoing, to_send) = mpsc::channel(WAITING);
    let (came, received) = mpsc::channel(WAITING);
    let peer = Peer::default();
    let Terms {
        revocation, stay, ..
    } = terms;
    let asks = AtomicBool::new(false);
    let mut revoked = pin!(async {
        let end = tokio::select! {
            asked = revocation.asking(&asks) => End::of(&asked),
            () = stay.over() => End::Stopping,
        };
        Over::Refused(Ending::of_end(end))
    });
    let mut handling = pin!(
        AssertUnwindSafe(async move {
            let socket = TenantSocket { outgoing, received };
            handler(socket).await
        })
        .catch_unwind()
    );
    // Boxed, to be dropped before the handler is: so it learns that the peer is gone.
    let (ping, send) = (terms.ping, terms.send);
    let mut reading = Box::pin(read(stream, came, &peer));
    let mut writing = Box::pin(write(sink, to_send, &peer, ping, send));
    let mut all_sent = false;
    let over = loop {
        tokio::select! {
            biased;
            over = &mut revoked => return over,
            over = &mut writing, if !all_sent => match over {
                // The handler has let the socket go, and may have something else to do.
                Over::Sent => all_sent = true,
                other => break other,
            },
            outcome = &mut handling => {
                let ending = Ending::of_handler(outcome);
                if !all_sent {
                    // What it has sent goes out first.
                    let over = tokio::select! {
                        biased;
                        over = &mut revoked => over,
                        over = &mut writing => over,
                    };
                    if !matches!(over, Over::Sent) {
                        return over;
                    }
                }
                return Over::Refused(ending);
            },
            over = &mut reading => break over,
        }
    };
    drop((reading, writing));
    tokio::select! {
        biased;
        over = &mut revoked => over,
        _ = &mut handling => over,
        () = sleep(GRACE) => over,
    }
}

/// Hands on what comes.
async fn read(
    stream: &mut (impl Stream<Item = Result<Message, axum::Error>> + Unpin),
    came: mpsc::Sender<Message>,
    peer: &Peer,
) -> Over {
    loop {
        let message = match stream.next().await {
            Some(Ok(message)) => message,
            Some(Err(error)) => return refused(&error),
            None => return Over::Closed,
        };
        peer.heard.store(true, Ordering::Release);
        match message {
            Message::Close(_) => return Over::Closed,
            // Answered by the library, which is asked to write often enough.
            Message::Ping(_) | Message::Pong(_) => {}
            message => {
                peer.held_up.store(true, Ordering::Release);
                // A handler that has let the socket go wants nothing of it.
                let _ = came.send(message).await;
                peer.held_up.store(false, Ordering::Release);
            }
        }
    }
}

/// The library tells its errors apart by a type that axum does not show.
fn refused(error: &axum::Error) -> Over {
    let text = error.to_string();
    if text.starts_with("Space limit exceeded") {
        return Over::Refused(Ending::new(close_code::SIZE, "payload_too_large"));
    }
    if text.starts_with("UTF-8 encoding error") {
        return Over::Refused(Ending::new(close_code::INVALID, "invalid_input"));
    }
    if text.starts_with("WebSocket protocol error") {
        return Over::Refused(Ending::new(close_code::PROTOCOL, "protocol_error"));
    }
    Over::Gone
}

/// Sends what there is, and asks the peer whether it is there.
async fn write(
    sink: &mut (impl Sink<Message> + Unpin),
    mut to_send: mpsc::Receiver<Outgoing>,
    peer: &Peer,
    ping: Duration,
    patience: Duration,
) -> Over {
    let mut clock = interval_at(tokio::time::Instant::now() + ping, ping);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    peer.heard.store(true, Ordering::Release);
    loop {
        let message = tokio::select! {
            message = to_send.recv() => match message {
                Some(outgoing) => outgoing.message(),
                None => return Over::Sent,
            },
            _ = clock.tick() => {
                let heard = peer.heard.swap(false, Ordering::AcqRel);
                if !heard && !peer.held_up.load(Ordering::Acquire) {
                    return Over::Gone;
                }
                Message::Ping(axum::body::Bytes::new())
            }
        };
        let mut closes = matches!(message, Message::Close(_));
        // Each by itself: who reads slowly takes one after the other, and only who
        // takes none is given up.
        let mut sent = timeout(patience, sink.feed(message)).await;
        // What lies there goes out with it, but pings have their turn.
        for _ in 0..WAITING {
            if closes || !matches!(sent, Ok(Ok(()))) {
                break;
            }
            let Ok(outgoing) = to_send.try_recv() else {
                break;
            };
            let message = outgoing.message();
            closes = matches!(message, Message::Close(_));
            sent = timeout(patience, sink.feed(message)).await;
        }
        if matches!(sent, Ok(Ok(()))) {
            sent = timeout(patience, sink.flush()).await;
        }
        match sent {
            Ok(Ok(())) if closes => return Over::Closed,
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Over::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::time::Sleep;

    use super::*;

    /// Takes ten messages each second, as far as it takes any.
    struct Slow {
        left: usize,
        rest: Pin<Box<Sleep>>,
    }

    impl Slow {
        fn taking(left: usize) -> Self {
            let rest = Box::pin(sleep(Duration::ZERO));
            Self { left, rest }
        }
    }

    impl Sink<Message> for Slow {
        type Error = Infallible;

        fn poll_ready(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Result<(), Infallible>> {
            if self.left == 0 {
                return Poll::Pending;
            }
            self.rest.as_mut().poll(context).map(Ok)
        }

        fn start_send(mut self: Pin<&mut Self>, _: Message) -> Result<(), Infallible> {
            self.left -= 1;
            self.rest = Box::pin(sleep(Duration::from_millis(100)));
            Ok(())
        }

        fn poll_flush(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Result<(), Infallible>> {
            self.rest.as_mut().poll(context).map(Ok)
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }
    }

    async fn outcome(mut sink: Slow) -> Over {
        let (outgoing, to_send) = mpsc::channel(WAITING);
        // As fast as it is taken.
        let publishing = async move {
            for _ in 0..50 {
                let message = Message::text("1");
                if outgoing.send(Outgoing::Message(message)).await.is_err() {
                    return;
                }
            }
        };
        let (peer, patience) = (Peer::default(), Duration::from_secs(2));
        let ping = Duration::from_secs(3_600);
        let writing = write(&mut sink, to_send, &peer, ping, patience);
        tokio::join!(writing, publishing).0
    }

    #[tokio::test]
    async fn who_reads_slowly_is_kept_and_who_does_not_read_is_given_up() {
        assert!(matches!(outcome(Slow::taking(1_000)).await, Over::Sent));
        assert!(matches!(outcome(Slow::taking(30)).await, Over::Gone));
    }
}
