//! What stays as it is stored: who reads metadata is shown no secret, and gives back
//! what is shown.

use serde_json::Value;

use crate::tenant::{Sealed, shown};

/// What is stored at a place, for who gives nothing there. In a list a place is a
/// number, which says little once the list has changed: another's secret would be taken
/// for it. So there the whole entry must be as it is shown.
pub(super) fn kept<'a>(given: &'a Value, stored: &'a Value, place: &str) -> Option<&'a Value> {
    let ends = place.match_indices('/').map(|(end, _)| end);
    let mut parents = ends.map(|end| &place[..end]);
    let list = |metadata: &'a Value, parent: &str| metadata.pointer(parent)?.as_array();
    let lists = parents.find_map(|parent| {
        let lists = (list(given, parent), list(stored, parent));
        (lists != (None, None)).then_some((parent, lists))
    });
    if let Some((parent, (given, stored))) = lists {
        let (given, stored) = (given?, stored?);
        let number = place[parent.len() + 1..].split('/').next()?.parse().ok()?;
        let entry = |list: &'a [Value]| list.get::<usize>(number).map(shown);
        if given.len() != stored.len() || entry(given) != entry(stored) {
            return None;
        }
    }
    let mark = stored.pointer(place)?;
    Sealed::of(mark).map(|_| mark)
}
