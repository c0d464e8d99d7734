//! What processes send each other: events as lines of text, packed into messages of
//! a size that the carrier takes.
//!
//! Messages of a process are numbered, so that who hears them sees where one is
//! missing, whatever became of it: dropped by the carrier, or never sent because the
//! carrier was away. A line that is longer than a message goes out in several, one
//! behind the other.

use std::collections::HashMap;

use uuid::Uuid;

use super::event::Event;
use crate::tenant::TenantId;

/// How many other processes are remembered; in place of more one begins anew.
const MOST_SENDERS: usize = 4_096;

/// The most of a line that is kept while its end has not come.
const LONGEST: usize = 256 * 1024;

/// What stands before the text: sender, number, mark.
const HEAD: usize = 32 + 1 + 20 + 1 + 1 + 1;

/// Another part of the line follows.
const MORE: &str = "+";
/// The text is complete.
const END: &str = ".";

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

    /// The messages for these events, of at most so many bytes each; one without
    /// text for none.
    pub(super) fn pack(&mut self, events: &[(TenantId, Event)], most: usize) -> Vec<String> {
        let room = most.saturating_sub(HEAD).max(4);
        let (mut messages, mut text) = (Vec::new(), String::new());
        for (tenant, event) in events {
            let (id, kind, data) = (event.id().simple(), event.kind(), event.json());
            let line = format!("{} {id} {kind} {data}\n", tenant.as_uuid().simple());
            if !text.is_empty() && text.len() + line.len() > room {
                messages.push(self.message(END, &text));
                text.clear();
            }
            let mut rest = &*line;
            while rest.len() > room {
                let (part, after) = rest.split_at(rest.floor_char_boundary(room));
                messages.push(self.message(MORE, part));
                rest = after;
            }
            text.push_str(rest);
        }
        if !text.is_empty() || messages.is_empty() {
            messages.push(self.message(END, &text));
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
}

#[derive(Debug)]
struct Sender {
    next: u64,
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
    pub(super) fn read(&mut self, message: &str) -> Option<Heard> {
        let mut words = message.splitn(4, ' ');
        let sender = Uuid::try_parse(words.next()?).ok()?;
        let number: u64 = words.next()?.parse().ok()?;
        let (mark, text) = (words.next()?, words.next()?);
        if self.senders.len() >= MOST_SENDERS && !self.senders.contains_key(&sender) {
            self.senders.clear();
        }
        let from = self.senders.entry(sender).or_insert(Sender {
            next: number,
            begun: String::new(),
        });
        let gap = number != from.next;
        from.next = number.wrapping_add(1);
        if gap {
            from.begun.clear();
        }
        if from.begun.len() + text.len() > LONGEST {
            from.begun.clear();
            return Some(Heard {
                sender,
                gap: true,
                text: String::new(),
            });
        }
        let text = match mark {
            MORE => {
                from.begun.push_str(text);
                String::new()
            }
            END if from.begun.is_empty() => text.to_owned(),
            END => {
                let mut line = std::mem::take(&mut from.begun);
                line.push_str(text);
                line
            }
            _ => return None,
        };
        Some(Heard { sender, gap, text })
    }
}

/// One line: whose event it is, and what it says.
pub(super) fn line(line: &str) -> Option<(TenantId, Uuid, &str, &str)> {
    let mut words = line.splitn(4, ' ');
    let tenant = words.next()?.parse().ok()?;
    let id = Uuid::try_parse(words.next()?).ok()?;
    Some((tenant, id, words.next()?, words.next()?))
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
        let lines = text.lines().map(|text| line(text).unwrap());
        lines
            .map(|(tenant, _, _, data)| (tenant, serde_json::from_str(data).unwrap()))
            .collect()
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
            let messages = writer.pack(&events, most);
            prop_assert!(messages.iter().all(|message| message.len() <= most));
            let mut reader = Reader::default();
            let heard: Vec<_> = messages.iter().map(|one| reader.read(one).unwrap()).collect();
            prop_assert!(heard.iter().all(|heard| !heard.gap));
            let sent: Vec<_> = events.iter().map(|(tenant, _)| *tenant).zip(texts).collect();
            prop_assert_eq!(lines(&heard), sent);
        }

        #[test]
        fn a_message_that_is_lost_is_seen_and_nothing_is_made_up(
            texts in prop::collection::vec("[a-zä]{0,200}", 1..20),
            lost in 0_usize..100,
        ) {
            let tenant = TenantId::generate();
            let mut writer = Writer::new(Uuid::now_v7());
            let mut messages = writer.pack(&[], 100);
            let events: Vec<_> = texts.iter().map(|text| (tenant, event(text))).collect();
            messages.extend(writer.pack(&events, 120));
            messages.extend(writer.pack(&[], 100));
            // Neither the first, before which nobody knew of the sender, nor the last.
            let lost = 1 + lost % (messages.len() - 2);
            messages.remove(lost);
            let mut reader = Reader::default();
            let heard: Vec<_> = messages.iter().map(|one| reader.read(one).unwrap()).collect();
            prop_assert_eq!(heard.iter().filter(|heard| heard.gap).count(), 1);
            for heard in &heard {
                for text in heard.text.lines() {
                    // What is cut off at its beginning is no line, or no event.
                    if let Some((of, _, kind, data)) = line(text) {
                        prop_assert_eq!((of, kind), (tenant, "k"));
                        if let Ok(text) = serde_json::from_str::<String>(data) {
                            prop_assert!(texts.contains(&text));
                        }
                    }
                }
            }
        }

        #[test]
        fn nonsense_is_nobodys(text in "\\PC*") {
            let _ = Reader::default().read(&text);
            let _ = line(&text);
        }
    }

    #[test]
    fn what_has_no_end_is_not_kept() {
        let (sender, mut reader) = (Uuid::now_v7().simple(), Reader::default());
        let part = "x".repeat(7_900);
        for number in 0..1_000 {
            reader.read(&format!("{sender} {number} + {part}"));
            let kept: usize = reader.senders.values().map(|from| from.begun.len()).sum();
            assert!(kept <= LONGEST);
        }
    }
}
