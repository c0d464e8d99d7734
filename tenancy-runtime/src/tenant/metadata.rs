//! What an application keeps with a tenant, and the secrets in it.
//!
//! A secret is *marked*: it stands in an object of its own whose one key is `$secret`.
//! Somebody gives it in plain, it is stored sealed, and it is shown as `null`, which
//! keeps what is stored at its place when it is given back.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

/// The one key of an object that holds a secret.
pub(crate) const MARK: &str = "$secret";

/// The most levels of objects and lists within each other. JSON is read to 128 of them,
/// and what holds metadata adds some: a secret as it is sealed, a shared look-up.
pub(crate) const DEEPEST: usize = 64;

/// What an application keeps with a tenant: a JSON object, with secrets where it is
/// marked so. Objects and lists stand within each other in 64 levels at most, that of a
/// secret included.
///
/// `{"$secret": "hunter2"}`, anywhere in it, is a secret that somebody gives. It is
/// stored sealed with a key of the application's, and so it is in a
/// [`TenantRecord`](super::TenantRecord) that was read. A
/// `SecretSetting` in the application's settings opens it, and nothing else does.
/// `Debug`, JSON and [`shown`](Self::shown) have `{"$secret": null}` in its place. There
/// are 1,000 of them at most, of 64 KiB each.
///
/// ```
/// use serde_json::json;
/// use tenancy_runtime::tenant::Metadata;
///
/// let metadata = Metadata::from(json!({"host": "a", "password": {"$secret": "hunter2"}}));
/// assert_eq!(metadata["host"], "a");
/// assert_eq!(metadata.shown(), json!({"host": "a", "password": {"$secret": null}}));
/// assert!(!format!("{metadata:?}").contains("hunter2"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Metadata(Value);

/// A secret as it is stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sealed<'a> {
    /// Which key has sealed it.
    pub(crate) key: &'a str,
    /// The ciphertext, in base64.
    #[cfg_attr(
        not(feature = "encryption"),
        expect(dead_code, reason = "opened nowhere")
    )]
    pub(crate) text: &'a str,
}

impl Metadata {
    /// What may be seen of it: `{"$secret": null}` in the place of each secret. Given
    /// back, changed elsewhere or not, it keeps the secrets that are stored.
    #[must_use]
    pub fn shown(&self) -> Value {
        shown(&self.0)
    }

    /// Whether it has more levels than [`DEEPEST`].
    pub(crate) fn is_too_deep(&self) -> bool {
        is_deeper(&self.0, DEEPEST)
    }

    /// Whatever stands where a secret is marked, each with its place as a JSON pointer
    /// (RFC 6901).
    pub(crate) fn marked(&self) -> Vec<(String, &Value)> {
        let mut found = Vec::new();
        find(&self.0, &mut String::new(), &mut found);
        found
    }

    /// How many of its secrets each key has sealed.
    pub(crate) fn keys(&self) -> BTreeMap<String, u64> {
        let mut keys = BTreeMap::new();
        let marked = self.marked();
        let sealed = marked.iter().filter_map(|(_, mark)| Sealed::of(mark));
        for Sealed { key, .. } in sealed {
            *keys.entry(key.to_owned()).or_default() += 1;
        }
        keys
    }
}

impl<'a> Sealed<'a> {
    /// Reads what stands where a secret is marked.
    pub(crate) fn of(mark: &'a Value) -> Option<Self> {
        let stored = mark[MARK].as_object().filter(|stored| stored.len() == 2)?;
        Some(Self {
            key: stored.get("key")?.as_str()?,
            text: stored.get("sealed")?.as_str()?,
        })
    }
}

/// JSON as it may be seen.
pub(crate) fn shown(value: &Value) -> Value {
    match value {
        Value::Object(fields) if fields.contains_key(MARK) => json!({ MARK: null }),
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields = fields.map(|(name, value)| (name.clone(), shown(value)));
            Value::Object(fields.collect())
        }
        Value::Array(entries) => entries.iter().map(shown).collect(),
        plain => plain.clone(),
    }
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    let goes_on = |value: &Value| is_deeper(value, levels - 1);
    match value {
        Value::Object(fields) => levels == 0 || fields.values().any(goes_on),
        Value::Array(entries) => levels == 0 || entries.iter().any(goes_on),
        _ => false,
    }
}

fn find<'a>(value: &'a Value, path: &mut String, found: &mut Vec<(String, &'a Value)>) {
    let here = path.len();
    match value {
        Value::Object(fields) if fields.contains_key(MARK) => found.push((path.clone(), value)),
        Value::Object(fields) => {
            for (name, value) in fields {
                path.push('/');
                path.push_str(&name.replace('~', "~0").replace('/', "~1"));
                find(value, path, found);
                path.truncate(here);
            }
        }
        Value::Array(entries) => {
            for (number, value) in entries.iter().enumerate() {
                path.push('/');
                path.push_str(&number.to_string());
                find(value, path, found);
                path.truncate(here);
            }
        }
        _ => {}
    }
}

/// An empty object.
impl Default for Metadata {
    fn default() -> Self {
        Self(Value::Object(Map::new()))
    }
}

impl From<Value> for Metadata {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

/// As it is stored, with its secrets sealed.
impl Deref for Metadata {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

/// As it may be seen.
impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown().fmt(f)
    }
}

/// As it may be seen.
impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.shown().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let fields = Map::<String, Value>::deserialize(from)?;
        Ok(Self(Value::Object(fields)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_marked_is_found_by_its_place_and_never_shown() {
        let sealed = json!({ MARK: { "key": "a", "sealed": "aHVudGVyMg==" } });
        let metadata = Metadata::from(json!({
            "a/b": { "~": { MARK: "hunter2" } },
            "list": [1, { MARK: ["hunter2"], "more": "hunter2" }, [sealed]],
            "sealed": sealed,
            "plain": "secret",
        }));
        let marked = metadata.marked();
        let paths: Vec<_> = marked.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["/a~1b/~0", "/list/1", "/list/2/0", "/sealed"]);
        for (path, mark) in &marked {
            assert_eq!(metadata.pointer(path), Some(*mark));
        }
        assert_eq!(metadata.keys(), [("a".to_owned(), 2)].into());
        let none = json!({ MARK: null });
        let seen = json!({
            "a/b": { "~": none },
            "list": [1, none, [none]],
            "sealed": none,
            "plain": "secret",
        });
        assert_eq!(metadata.shown(), seen);
        let json = serde_json::to_string(&metadata).unwrap();
        for text in [json, format!("{metadata:?} {metadata:#?}")] {
            for secret in ["hunter2", "aHVudGVyMg"] {
                assert!(!text.contains(secret), "{text}");
            }
        }
        // The twin: it is in there.
        assert!(metadata.to_string().contains("hunter2"));
    }

    #[test]
    fn objects_and_lists_are_levels_and_what_is_in_them_is_none() {
        let list = |depth: usize| (1..depth).fold(json!([1]), |inner, _| json!([inner]));
        for (metadata, too_deep) in [
            (json!({"a": list(DEEPEST - 1)}), false),
            (json!({"a": list(DEEPEST)}), true),
            (json!({"a": {"b": 1}, "c": list(DEEPEST)}), true),
            (json!({"a": list(1_000)}), true),
            (json!({}), false),
        ] {
            assert_eq!(Metadata::from(metadata).is_too_deep(), too_deep);
        }
    }

    #[test]
    fn only_an_object_is_read() {
        assert!(serde_json::from_str::<Metadata>("{\"a\": 1}").is_ok());
        for other in ["null", "[]", "7", "\"a\""] {
            assert!(serde_json::from_str::<Metadata>(other).is_err(), "{other}");
        }
    }
}
