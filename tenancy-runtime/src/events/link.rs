//! How events come to other processes and from them.
//!
//! One task sends, another listens. What is published is sent in batches, on the
//! pool that looks tenants up, or to Redis. While the carrier is away it is not kept:
//! who listens elsewhere is told of the gap, and reads from the tables what is true.
//!
//! Each process hears its own messages as well, and sends one now and then in any
//! case. That is how it knows that it hears, and not merely that a connection
//! stands: behind a pooler in transaction mode `LISTEN` is accepted and nothing ever
//! arrives.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use uuid::Uuid;

use super::carrier::Carrier;
use super::event::Event;
use super::local::Local;
use super::outbox::{Lost, Permit, Rooms, Turns};
use super::wire::{Line, Reader, Writer, line};
use crate::error::Error;
use crate::tenant::TenantId;

/// How long a publisher waits for the carrier to keep up, and a subscriber for the
/// process to listen.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often something is sent in any case.
const BEAT: Duration = Duration::from_secs(1);

/// After how long without an own message nothing is heard any more.
const SILENCE: Duration = Duration::from_secs(4);

/// How long it waits to listen again, at first and at last.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// What is to be sent, with its share of the room.
type Outgoing = (TenantId, Event, Permit);

/// The way to other processes. Nothing is begun before it is used.
pub(super) struct Link {
    /// `None`: there are no others, or no way to them.
    carrier: Option<Arc<Carrier>>,
    local: Arc<Local>,
    outbox: mpsc::UnboundedSender<Outgoing>,
    begins: Mutex<Option<mpsc::UnboundedReceiver<Outgoing>>>,
    tasks: Mutex<JoinSet<()>>,
    rooms: Rooms,
    state: Arc<State>,
}

/// What the two tasks know of each other.
struct State {
    sender: Uuid,
    /// Whether the carrier does not take what is sent.
    away: AtomicBool,
    /// Who has lost what was not sent.
    lost: Mutex<Lost>,
    /// Whether other processes are heard.
    hears: watch::Sender<bool>,
    beat: Notify,
}

impl State {
    fn lost(&self) -> MutexGuard<'_, Lost> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room for an event on its way.
pub(super) enum Room {
    Had(Permit),
    /// There is none, and others will see that something is missing.
    Lost,
    /// There is nobody to send it to.
    Nobody,
}

impl Link {
    pub(super) fn new(carrier: Option<Carrier>, local: Arc<Local>) -> Self {
        let (outbox, waiting) = mpsc::unbounded_channel();
        Self {
            carrier: carrier.map(Arc::new),
            local,
            outbox,
            begins: Mutex::new(Some(waiting)),
            tasks: Mutex::default(),
            rooms: Rooms::new(),
            state: Arc::new(State {
                sender: Uuid::now_v7(),
                away: AtomicBool::new(false),
                lost: Mutex::default(),
                hears: watch::Sender::new(false),
                beat: Notify::new(),
            }),
        }
    }

    /// Starts the tasks, if nobody has.
    fn begin(&self) -> bool {
        let Some(carrier) = &self.carrier else {
            return false;
        };
        let waiting = self
            .begins
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(waiting) = waiting {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            let (one, other) = (Arc::clone(carrier), Arc::clone(carrier));
            let state = Arc::clone(&self.state);
            tasks.spawn(send(one, state, waiting));
            tasks.spawn(listen(
                other,
                Arc::clone(&self.state),
                Arc::clone(&self.local),
            ));
        }
        true
    }

    /// Waits for room, so that publishers are no faster than the carrier.
    pub(super) async fn room(&self, tenant: TenantId, event: &Event) -> Room {
        if !self.begin() {
            return Room::Nobody;
        }
        if self.state.away.load(Ordering::Acquire) {
            return Room::Lost;
        }
        match timeout(PATIENCE, self.rooms.take(tenant, event)).await {
            Ok(Some(room)) => Room::Had(room),
            Ok(None) | Err(_) => Room::Lost,
        }
    }

    pub(super) fn send(&self, tenant: TenantId, event: Event, room: Room) {
        match room {
            Room::Had(room) => {
                let _ = self.outbox.send((tenant, event, room));
            }
            Room::Lost => self.state.lost().add(tenant),
            Room::Nobody => {}
        }
    }

    /// Waits until other processes are heard, but not for long.
    pub(super) async fn heard(&self) {
        if self.begin() {
            let mut hears = self.state.hears.subscribe();
            let _ = timeout(PATIENCE, hears.wait_for(|hears| *hears)).await;
        }
    }

    /// Waits until all is sent that was published, but not for long.
    pub(super) async fn flush(&self) {
        let _ = timeout(PATIENCE, self.rooms.emptied()).await;
    }
}

/// Sends what is published until nobody can publish any more.
async fn send(
    carrier: Arc<Carrier>,
    state: Arc<State>,
    mut waiting: mpsc::UnboundedReceiver<Outgoing>,
) {
    let mut writer = Writer::new(state.sender);
    let mut clock = interval(BEAT);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut turns, mut said) = (Turns::default(), false);
    loop {
        if turns.is_empty() {
            tokio::select! {
                received = waiting.recv() => match received {
                    Some(outgoing) => turns.add(outgoing),
                    None => return,
                },
                _ = clock.tick() => {}
                () = state.beat.notified() => {}
            }
        }
        while let Ok(outgoing) = waiting.try_recv() {
            turns.add(outgoing);
        }
        let (lost, others) = state.lost().take();
        if others {
            writer.skip();
        }
        let (events, rooms) = turns.batch();
        let messages = writer.pack(&events, &lost, carrier.longest());
        let sent = carrier.send(messages).await;
        // Their numbers are gone: others see that they are missing.
        state.away.store(sent.is_err(), Ordering::Release);
        match sent {
            Ok(()) => {
                if std::mem::take(&mut said) {
                    tracing::info!("events reach other processes again");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut said, true) {
                    tracing::warn!(%error, "events reach subscribers of this process only");
                }
                drop(rooms);
                // What came meanwhile waits for nothing.
                while let Ok(outgoing) = waiting.try_recv() {
                    turns.add(outgoing);
                }
                for tenant in turns.clear() {
                    state.lost().add(tenant);
                }
                sleep(PAUSE).await;
            }
        }
    }
}

/// Hears other processes, again and again.
async fn listen(carrier: Arc<Carrier>, state: Arc<State>, local: Arc<Local>) {
    let (mut pause, mut said) = (PAUSE, false);
    loop {
        let mut inbox = Inbox {
            state: &state,
            local: &local,
            reader: Reader::default(),
            own: Arc::new(Mutex::new(Instant::now())),
        };
        let own = Arc::clone(&inbox.own);
        let begun = Instant::now();
        // In the same task, so that its connection ends with it.
        let ended = tokio::select! {
            ended = carrier.listen(&state.beat, |message| inbox.take(message)) => ended,
            () = silence(&own) => Err(Error::unavailable(
                "a message of this process did not come back; behind a pooler in transaction \
                 mode none does"
            )),
        };
        let heard = state.hears.send_replace(false);
        if heard && begun.elapsed() > SILENCE {
            (pause, said) = (PAUSE, false);
        }
        if let Err(error) = ended
            && !std::mem::replace(&mut said, true)
        {
            tracing::warn!(%error, "events of other processes are not heard");
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Waits until no own message has come back for too long.
async fn silence(own: &Mutex<Instant>) {
    loop {
        let last = *own.lock().unwrap_or_else(PoisonError::into_inner);
        match SILENCE.checked_sub(last.elapsed()) {
            Some(left) if !left.is_zero() => sleep(left).await,
            _ => return,
        }
    }
}

/// Where messages arrive, for as long as one connection stands.
struct Inbox<'a> {
    state: &'a State,
    local: &'a Local,
    reader: Reader,
    /// When the last message of this process itself came back.
    own: Arc<Mutex<Instant>>,
}

impl Inbox<'_> {
    fn take(&mut self, message: &str) {
        let Some(heard) = self.reader.read(message, Instant::now()) else {
            tracing::warn!("what came as events was sent by no process of this application");
            return;
        };
        if heard.sender == self.state.sender {
            *self.own.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            // From here on all is heard; what came before may not have been.
            if !*self.state.hears.borrow() {
                self.local.gap();
                self.state.hears.send_replace(true);
                tracing::debug!("events of other processes are heard");
            }
            return;
        }
        if heard.gap {
            self.local.gap();
        }
        for text in heard.text.lines() {
            match line(text) {
                Some(Line::Event(tenant, id, kind, data)) if self.local.listens(tenant) => {
                    match Event::received(id, kind, data, &self.local.held) {
                        Some(event) => self.local.deliver(tenant, &event),
                        None => self.local.gap_of(tenant),
                    }
                }
                Some(Line::Lost(tenant)) => self.local.gap_of(tenant),
                _ => {}
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let tasks = self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner);
        tasks.abort_all();
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::super::event::Delivery;
    use super::super::queue::{Overflow, Queue};
    use super::*;

    #[test]
    fn only_who_has_lost_something_is_told_so() {
        let local = Local::default();
        let state = State {
            sender: Uuid::now_v7(),
            away: AtomicBool::new(false),
            lost: Mutex::default(),
            hears: watch::Sender::new(true),
            beat: Notify::new(),
        };
        let mut inbox = Inbox {
            state: &state,
            local: &local,
            reader: Reader::default(),
            own: Arc::new(Mutex::new(Instant::now())),
        };
        let [a, b] = [TenantId::generate(), TenantId::generate()].map(|tenant| {
            let queue = Arc::new(Queue::new(Overflow::SkipOldest));
            local.add(tenant, &queue);
            (tenant, queue)
        });
        let missed = |queue: &Queue| {
            let next = queue.poll(&mut Context::from_waker(Waker::noop()));
            matches!(next, Poll::Ready(Some(Delivery::Missed { count: None })))
        };
        let mut writer = Writer::new(Uuid::now_v7());
        for message in writer.pack(&[], &[a.0], 200) {
            inbox.take(&message);
        }
        assert!(missed(&a.1) && !missed(&b.1));
        // What does not read is lost to its tenant.
        let line = format!("{} {} k 1,2\n", b.0.as_uuid().simple(), Uuid::nil());
        inbox.take(&format!("{} 0 = {line}", Uuid::now_v7().simple()));
        assert!(!missed(&a.1) && missed(&b.1));
        // The twin: a message that is missing may have been anybody's.
        writer.skip();
        for message in writer.pack(&[], &[], 200) {
            inbox.take(&message);
        }
        assert!(missed(&a.1) && missed(&b.1));
    }
}
