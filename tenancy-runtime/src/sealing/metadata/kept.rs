//! What stays as it is stored: who reads metadata is shown no secret, and gives back
//! what is shown.
//!
//! In a list a place is a number, which says little once the list has changed:
//! another's secret would be taken for it. So there the whole entry must be as it is
//! shown.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::tenant::{Sealed, shown};

/// Metadata that is given, beside what is stored.
pub(super) struct Kept<'a> {
    given: &'a Value,
    stored: &'a Value,
    /// The entries of lists that were compared, by their places, and whether they are
    /// the same: each is compared once, however many secrets are in it.
    compared: BTreeMap<String, bool>,
}

impl<'a> Kept<'a> {
    pub(super) fn of(given: &'a Value, stored: &'a Value) -> Self {
        Self {
            given,
            stored,
            compared: BTreeMap::new(),
        }
    }

    /// What is stored at a place, for who gives nothing there.
    pub(super) fn mark(&mut self, place: &str) -> Option<&'a Value> {
        if let Some(entry) = self.entry(place) {
            let same = self.compared.get(entry).copied();
            let same = same.unwrap_or_else(|| {
                let same = self.is_same(entry);
                self.compared.insert(entry.to_owned(), same);
                same
            });
            if !same {
                return None;
            }
        }
        let mark = self.stored.pointer(place)?;
        Sealed::of(mark).map(|_| mark)
    }

    /// The entry that a place is in, of a list that is in no other.
    fn entry<'p>(&self, place: &'p str) -> Option<&'p str> {
        let starts = place.match_indices('/').map(|(start, _)| start);
        let ends = starts.clone().skip(1).chain([place.len()]);
        let mut steps = starts.zip(ends);
        let step = steps.find(|(start, _)| {
            let parents = [self.given, self.stored].map(|it| it.pointer(&place[..*start]));
            parents.into_iter().flatten().any(Value::is_array)
        });
        step.map(|(_, end)| &place[..end])
    }

    /// Whether an entry is as it is shown, in a list that has as many.
    fn is_same(&self, entry: &str) -> bool {
        let entry_of = |metadata: &Value| {
            let (list, _) = entry.rsplit_once('/')?;
            let list = metadata.pointer(list)?.as_array()?;
            Some((list.len(), shown(metadata.pointer(entry)?)))
        };
        let given = entry_of(self.given);
        given.is_some() && given == entry_of(self.stored)
    }
}
