//! What processes send each other: events as lines of text, packed into messages of
//! a size that the carrier takes.
//!
//! Messages of a process are numbered, so that who hears them sees where one is
//! missing, whatever became of it: dropped by the carrier, or never sent because the
//! carrier was away. A line that is longer than a message goes out in several, one
//! behind the other.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::event::Event;
use crate::tenant::TenantId;

/// How many other processes are remembered; in place of more the longest silent is
/// forgotten.
const MOST_SENDERS: usize = 4_096;

/// The most of a line that is kept while its end has not come, and of all of them.
const LONGEST: usize = 256 * 1024;
const MOST_BEGUN: usize = 4 * 1024 * 1024;

/// After how long a process is forgotten that says nothing, as it would each second.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// After how long all processes that are there have been heard: what comes first of
/// another one later is the first that it has sent, or something was lost.
const SETTLED: Duration = Duration::from_secs(5);

/// What stands before the text: sender, number, mark.
const HEAD: usize = 32 + 1 + 20 + 1 + 1 + 1;

// What a text is. Each part of a line that is cut says which one it is: what a
// tenant has written may read like a line of its own, and must never begin one.
/// Whole lines.
const WHOLE: &str = "=";
/// The first part of a line, one in the middle, and the last, with whole lines behind
/// it.
const BEGINS: &str = "<";
const GOES_ON: &str = "-";
const ENDS: &str = ">";

/// What stands behind a tenant who has lost something, in place of an event.
const LOST: &str = "lost";

/// Numbers and packs what a process sends.
#[derive(Debug)]
pub(super) struct Writer {
    sender: Uuid,
    next: u64,
}

impl Writer {
    pub(super) fn new(sender: Uuid) -> Self {
        Self { sender, next: 0 }
    }

    /// Something is not sent: who listens will see that a number is missing.
    pub(super) fn skip(&mut self) {
        self.next += 1;
    }

    /// The messages for these events, and for who has lost some, of at most so many
    /// bytes each; one without text for none.
    pub(super) fn pack(
        &mut self,
        events: &[(TenantId, Event)],
        lost: &[TenantId],
        most: usize,
    ) -> Vec<String> {
        let room = most.saturating_sub(HEAD).max(4);
        let (mut messages, mut text) = (Vec::new(), String::new());
        let mut whole = WHOLE;
        let lost = lost
            .iter()
            .map(|tenant| format!("{} {LOST}\n", tenant.as_uuid().simple()));
        let events = events.iter().map(|(tenant, event)| {
            let (id, kind, data) = (event.id().simple(), event.kind(), event.json());
            format!("{} {id} {kind} {data}\n", tenant.as_uuid().simple())
        });
        for line in lost.chain(events) {
            if !text.is_empty() && text.len() + line.len() > room {
                messages.push(self.message(whole, &text));
                text.clear();
                whole = WHOLE;
            }
            let mut rest = &*line;
            while rest.len() > room {
                let (part, after) = rest.split_at(rest.floor_char_boundary(room));
                let mark = if whole == ENDS { GOES_ON } else { BEGINS };
                messages.push(self.message(mark, part));
                (rest, whole) = (after, ENDS);
            }
            text.push_str(rest);
        }
        if !text.is_empty() || messages.is_empty() {
            messages.push(self.message(whole, &text));
        }
        messages
    }

    fn message(&mut self, mark: &str, text: &str) -> String {
        let number = self.next;
        self.next += 1;
        format!("{} {number} {mark} {text}", self.sender.simple())
    }
}

/// Puts together what other processes have sent.
#[derive(Debug, Default)]
pub(super) struct Reader {
    senders: HashMap<Uuid, Sender>,
    /// The bytes of all lines whose end has not come.
    begun: usize,
    /// When the first message came.
    since: Option<Instant>,
}

#[derive(Debug)]
struct Sender {
    next: u64,
    heard: Instant,
    /// The beginning of a line whose end has not come.
    begun: String,
}

/// What came with a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) sender: Uuid,
    /// Whether messages before it are missing.
    pub(super) gap: bool,
    /// Whole lines.
    pub(super) text: String,
}

impl Reader {
    /// `None` for what no process of ours has sent.
    pub(super) fn read(&mut self, message: &str, now: Instant) -> Option<Heard> {
        let mut words = message.splitn(4, ' ');
        let sender = Uuid::try_parse(words.next()?).ok()?;
        let number: u64 = words.next()?.parse().ok()?;
        let (mark, text) = (words.next()?, words.next()?);
        if ![WHOLE, BEGINS, GOES_ON, ENDS].contains(&mark) {
            return None;
        }
        let (mut gap, begun) = self.follow(sender, number, now);
        let text = match (mark, begun) {
            (WHOLE, begun) => {
                gap |= begun.is_some();
                text.to_owned()
            }
            (BEGINS, begun) => {
                gap |= begun.is_some() | !self.keep(sender, text.to_owned());
                String::new()
            }
            (GOES_ON, Some(line)) => {
                gap |= !self.keep(sender, line + text);
                String::new()
            }
            (_, Some(line)) => line + text,
            // Its beginning is missing, and what is left of a line is none.
            (_, None) => {
                gap = true;
                String::new()
            }
        };
        Some(Heard { sender, gap, text })
    }

    /// Whether messages are missing before this one, and if none is, what its sender
    /// has begun.
    fn follow(&mut self, sender: Uuid, number: u64, now: Instant) -> (bool, Option<String>) {
        let since = *self.since.get_or_insert(now);
        if !self.senders.contains_key(&sender) {
            self.forget(now);
        }
        let (from, gap) = match self.senders.entry(sender) {
            Entry::Occupied(known) => {
                let gap = known.get().next != number;
                (known.into_mut(), gap)
            }
            Entry::Vacant(new) => {
                let from = new.insert(Sender {
                    next: number,
                    heard: now,
                    begun: String::new(),
                });
                (from, number != 0 && now - since > SETTLED)
            }
        };
        (from.next, from.heard) = (number.wrapping_add(1), now);
        let begun = std::mem::take(&mut from.begun);
        self.begun -= begun.len();
        (gap, (!gap && !begun.is_empty()).then_some(begun))
    }

    /// Keeps the beginning of a line, unless it is too long for any. Where all of them
    /// are too much the longest silent lose theirs: no process stops in the middle.
    fn keep(&mut self, sender: Uuid, line: String) -> bool {
        if line.len() > LONGEST {
            return false;
        }
        while self.begun + line.len() > MOST_BEGUN {
            let begun = self.senders.values_mut();
            let begun = begun.filter(|from| !from.begun.is_empty());
            let Some(oldest) = begun.min_by_key(|from| from.heard) else {
                break;
            };
            self.begun -= std::mem::take(&mut oldest.begun).len();
        }
        if let Some(from) = self.senders.get_mut(&sender) {
            self.begun += line.len();
            from.begun = line;
        }
        true
    }

    /// Makes room for another sender.
    fn forget(&mut self, now: Instant) {
        self.senders.retain(|_, from| now - from.heard < FORGOTTEN);
        if self.senders.len() >= MOST_SENDERS {
            let oldest = self.senders.iter().min_by_key(|(_, from)| from.heard);
            if let Some(oldest) = oldest.map(|(sender, _)| *sender) {
                self.senders.remove(&oldest);
            }
        }
        self.begun = self.senders.values().map(|from| from.begun.len()).sum();
    }
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Whose event it is, its id, its kind and its data.
    Event(TenantId, Uuid, &'a str, &'a str),
    /// Events of this tenant were not sent.
    Lost(TenantId),
}

/// `None` for what says nothing.
pub(super) fn line(line: &str) -> Option<Line<'_>> {
    let mut words = line.splitn(4, ' ');
    let tenant = words.next()?.parse().ok()?;
    let id = words.next()?;
    let Some(kind) = words.next() else {
        return (id == LOST).then_some(Line::Lost(tenant));
    };
    let id = Uuid::try_parse(id).ok()?;
    Some(Line::Event(tenant, id, kind, words.next()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::held::Held;
    use super::*;

    fn event(text: &str) -> Event {
        Event::new("k", &text, &Held::default()).unwrap()
    }

    fn lines(heard: &[Heard]) -> Vec<(TenantId, String)> {
        let text: String = heard.iter().map(|heard| &*heard.text).collect();
        let lines = text.lines().map(|text| match line(text) {
            Some(Line::Event(tenant, _, _, data)) => (tenant, serde_json::from_str(data).unwrap()),
            other => panic!("{other:?} in {text}"),
        });
        lines.collect()
    }

    fn read_all(reader: &mut Reader, messages: &[String]) -> Vec<Heard> {
        let now = Instant::now();
        let read = messages.iter().map(|one| reader.read(one, now).unwrap());
        read.collect()
    }

    /// What a tenant writes to whom its lines are cut: in so many parts that what
    /// comes last reads like a line of another tenant's.
    fn forged(most: usize, parts: usize, of: TenantId, text: &str) -> String {
        let (room, before) = (most - HEAD, 32 + 1 + 32 + 1 + 1 + 1 + 1);
        let id = Uuid::now_v7().simple();
        let filler = "x".repeat(parts * room - before);
        format!("{filler}{} {id} forged {text}", of.as_uuid().simple())
    }

    /// How long a message is whose last part has room for a forged line.
    const FORGEABLE: usize = 200;

    fn texts() -> impl Strategy<Value = Vec<String>> {
        let free = "[a-z0-9 ä\"]{0,400}".boxed();
        let forged = (1_usize..4, "[a-z0-9 \"]{0,40}")
            .prop_map(|(parts, text)| forged(FORGEABLE, parts, TenantId::generate(), &text));
        prop::collection::vec(prop_oneof![free, forged], 1..6)
    }

    /// That all of these lines are of events that were published.
    fn were_published(heard: &[Heard], tenant: TenantId, texts: &[String]) {
        for text in heard.iter().flat_map(|heard| heard.text.lines()) {
            let Some(Line::Event(of, _, kind, data)) = line(text) else {
                panic!("no event: {text}");
            };
            assert_eq!((of, kind), (tenant, "k"), "of {text}");
            let said: String = serde_json::from_str(data).expect("JSON");
            assert!(texts.contains(&said), "{said}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_is_what_is_read(
            texts in prop::collection::vec("\\PC{0,200}", 0..20),
            most in 60_usize..400,
        ) {
            let events: Vec<_> = texts
                .iter()
                .map(|text| (TenantId::generate(), event(text)))
                .collect();
            let mut writer = Writer::new(Uuid::now_v7());
            let messages = writer.pack(&events, &[], most);
            prop_assert!(messages.iter().all(|message| message.len() <= most));
            let heard = read_all(&mut Reader::default(), &messages);
            prop_assert!(heard.iter().all(|heard| !heard.gap));
            let sent: Vec<_> = events.iter().map(|(tenant, _)| *tenant).zip(texts).collect();
            prop_assert_eq!(lines(&heard), sent);
        }

        #[test]
        fn a_message_that_is_lost_is_seen_and_nothing_is_made_up(texts in texts()) {
            let tenant = TenantId::generate();
            let mut writer = Writer::new(Uuid::now_v7());
            let mut messages = writer.pack(&[], &[], FORGEABLE);
            let events: Vec<_> = texts.iter().map(|text| (tenant, event(text))).collect();
            messages.extend(writer.pack(&events, &[], FORGEABLE));
            messages.extend(writer.pack(&[], &[], FORGEABLE));
            // Neither the first, before which nobody knew of the sender, nor the last.
            for lost in 1..messages.len() - 1 {
                let mut messages = messages.clone();
                messages.remove(lost);
                let heard = read_all(&mut Reader::default(), &messages);
                prop_assert!(heard[lost].gap);
                were_published(&heard, tenant, &texts);
            }
            // And who listens only from some message on.
            for first in 1..messages.len() {
                let heard = read_all(&mut Reader::default(), &messages[first..]);
                were_published(&heard, tenant, &texts);
            }
        }

        #[test]
        fn nonsense_is_nobodys(text in "\\PC*") {
            let _ = Reader::default().read(&text, Instant::now());
            let _ = line(&text);
        }
    }

    #[test]
    fn the_rest_of_a_line_is_no_line_whatever_it_says() {
        let victim = TenantId::generate();
        let text = forged(FORGEABLE, 1, victim, "1");
        let mut writer = Writer::new(Uuid::now_v7());
        let messages = writer.pack(&[(TenantId::generate(), event(&text))], &[], FORGEABLE);
        let [_, rest] = &*messages else {
            panic!("{messages:?}")
        };
        // It would be taken for one of the victim's.
        let said = rest.splitn(4, ' ').nth(3).unwrap();
        let Some(Line::Event(of, _, kind, _)) = line(said) else {
            panic!("{said}");
        };
        assert_eq!((of, kind), (victim, "forged"));
        let heard = Reader::default().read(rest, Instant::now()).unwrap();
        assert_eq!((heard.gap, &*heard.text), (true, ""));
    }

    #[test]
    fn what_has_no_end_is_not_kept() {
        let (now, mut reader) = (Instant::now(), Reader::default());
        let kept = |reader: &Reader| -> usize {
            let kept = reader.senders.values().map(|from| from.begun.len()).sum();
            assert_eq!(kept, reader.begun);
            kept
        };
        let part = "x".repeat(7_900);
        let sender = Uuid::now_v7().simple();
        reader.read(&format!("{sender} 0 < {part}"), now);
        for number in 1..100 {
            reader.read(&format!("{sender} {number} - {part}"), now);
            assert!(kept(&reader) <= LONGEST);
        }
        // Nor of many who say that they are processes of ours.
        for number in 0..2_000 {
            let sender = Uuid::now_v7().simple();
            let now = now + Duration::from_millis(number);
            reader.read(&format!("{sender} 0 < {part}"), now);
            assert!(kept(&reader) <= MOST_BEGUN);
        }
        // What is begun now comes whole all the same.
        let now = now + Duration::from_secs(3);
        let sender = Uuid::now_v7().simple();
        reader.read(&format!("{sender} 0 < be"), now);
        let heard = reader.read(&format!("{sender} 1 > gun\n"), now).unwrap();
        assert_eq!((heard.gap, &*heard.text), (false, "begun\n"));
        // Who has fallen silent is forgotten.
        let (now, other) = (now + FORGOTTEN, Uuid::now_v7().simple());
        reader.read(&format!("{other} 0 = "), now);
        assert_eq!((reader.senders.len(), kept(&reader)), (1, 0));
    }

    #[test]
    fn what_a_new_process_has_lost_is_seen() {
        let (start, mut reader) = (Instant::now(), Reader::default());
        let mut gap = |number: u64, after: u64| {
            let message = format!("{} {number} = ", Uuid::now_v7().simple());
            let now = start + Duration::from_secs(after);
            reader.read(&message, now).unwrap().gap
        };
        assert!(!gap(7, 0), "it was there before we listened");
        assert!(!gap(9, 1), "and so was this one");
        assert!(!gap(0, 10), "it has begun just now");
        assert!(gap(1, 10), "its first message did not come");
    }
}
