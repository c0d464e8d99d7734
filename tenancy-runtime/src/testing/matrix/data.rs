//! The keys in what a tenant is answered, and in what it sends.

use std::collections::BTreeSet;

use serde_json::Value;
use uuid::Uuid;

/// Adds the keys in `value`, which stands in a field of this name.
pub(super) fn ids_in(value: &Value, field: &str, ids: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if Uuid::try_parse(text).is_ok() => {
            ids.insert(text.clone());
        }
        Value::Number(number) if is_key(field) && (number.is_u64() || number.is_i64()) => {
            ids.insert(number.to_string());
        }
        Value::Array(values) => values.iter().for_each(|value| ids_in(value, field, ids)),
        Value::Object(fields) => {
            for (field, value) in fields {
                ids_in(value, field, ids);
            }
        }
        _ => {}
    }
}

fn is_key(field: &str) -> bool {
    field == "id" || is_reference(field)
}

fn is_reference(field: &str) -> bool {
    field.ends_with("_id")
}

/// How many fields that refer to other rows there are in a body.
pub(super) fn references(value: &Value) -> usize {
    match value {
        Value::Array(values) => values.iter().map(references).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(field, value)| match is_reference(field) {
                true => 1,
                false => references(value),
            })
            .sum(),
        _ => 0,
    }
}

/// Puts these, one after the other, into the fields that refer to other rows.
pub(super) fn refer(value: &mut Value, ids: &mut impl Iterator<Item = String>) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| refer(value, ids)),
        Value::Object(fields) => {
            for (field, value) in fields {
                if !is_reference(field) {
                    refer(value, ids);
                } else if let Some(id) = ids.next() {
                    let number = id.parse::<i64>().map(Value::from);
                    *value = number.unwrap_or(Value::String(id));
                }
            }
        }
        _ => {}
    }
}

/// A key like this one, and nobody's.
pub(super) fn nobody_s(id: &str) -> String {
    match Uuid::try_parse(id) {
        Ok(_) => Uuid::now_v7().to_string(),
        // Within the range of PostgreSQL's `integer`, and far from its beginning.
        Err(_) => (i32::MAX - 7).to_string(),
    }
}

/// Every way to fill so many holes with these, up to a bound; whether that is all.
pub(super) fn fillings(ids: &[String], holes: usize) -> (Vec<Vec<String>>, bool) {
    const MOST: usize = 256;
    let mut all = vec![Vec::new()];
    let mut complete = true;
    for _ in 0..holes {
        let longer = all.iter().flat_map(|filling: &Vec<String>| {
            let one_more = |id: &String| [filling.as_slice(), std::slice::from_ref(id)].concat();
            ids.iter().map(one_more).collect::<Vec<_>>()
        });
        let mut longer: Vec<_> = longer.collect();
        complete &= longer.len() <= MOST;
        longer.truncate(MOST);
        all = longer;
    }
    (all, complete)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_found_and_put_in_place() {
        let id = Uuid::now_v7().to_string();
        let body = json!([{"id": 7, "count": 8, "of": [id], "owner_id": 9, "name": "10"}]);
        let mut ids = BTreeSet::new();
        ids_in(&body, "", &mut ids);
        assert_eq!(ids, BTreeSet::from(["7".to_owned(), "9".to_owned(), id]));
        let mut body = json!({"a_id": null, "b": [{"c_id": 1}], "d": 2});
        assert_eq!(references(&body), 2);
        refer(&mut body, &mut ["x".to_owned(), "3".to_owned()].into_iter());
        assert_eq!(body, json!({"a_id": "x", "b": [{"c_id": 3}], "d": 2}));
    }

    #[test]
    fn every_hole_is_filled_with_everything() {
        let ids = ["1".to_owned(), "2".to_owned()];
        assert_eq!(fillings(&ids, 0), (vec![Vec::new()], true));
        assert_eq!(fillings(&ids, 2).0.len(), 4);
        assert_eq!(fillings(&[], 1), (Vec::new(), true));
        let (some, complete) = fillings(&ids, 9);
        assert_eq!((some.len(), complete), (256, false));
    }
}
