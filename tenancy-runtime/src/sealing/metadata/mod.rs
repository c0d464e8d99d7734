//! Secrets in the metadata of tenants: sealed where somebody gives them, and open to
//! the application's settings.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::ring::KeyRing;
use super::seal::{About, Unopened, seal};
use super::setting::with_secrets;
use super::{checked, no_keys};
use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::tenant::{MARK, Metadata, Sealed, TenantId, TenantRecord, shown};

/// The keys that seal and open secrets in metadata; without, there are none.
#[derive(Debug, Clone, Default)]
pub(crate) struct MetadataKeys(Option<Arc<KeyRing>>);

impl MetadataKeys {
    pub(crate) fn new(ring: Option<KeyRing>) -> Self {
        Self(ring.map(Arc::new))
    }

    /// What `read` makes of a stored tenant's metadata, whose secrets are open to it.
    /// Fails where it asks for one that does not open.
    pub(crate) fn opened<T>(
        &self,
        tenant: &TenantRecord,
        read: impl FnOnce(&Value) -> T,
    ) -> Result<T, Problem> {
        let marked = tenant.metadata.marked();
        if marked.is_empty() {
            return Ok(read(&tenant.metadata));
        }
        let mut numbered = Numbered::of(&tenant.metadata);
        for (place, mark) in marked {
            numbered.put(&place, self.open(tenant, &place, mark));
        }
        numbered.read(read)
    }

    /// Metadata as it is stored for the tenant of this id, and what `read` makes of it.
    ///
    /// Refused is what is marked and is no secret, and one that looks as if it were
    /// sealed already: nothing is stored so but what was sealed here.
    pub(crate) fn sealed<T>(
        &self,
        id: TenantId,
        given: &Metadata,
        stored: Option<&TenantRecord>,
        read: impl FnOnce(&Value) -> T,
    ) -> Result<(Metadata, T)> {
        let mut sealed = Value::clone(given);
        let mut numbered = Numbered::of(given);
        for (place, mark) in given.marked() {
            let refused = |wrong: String| {
                Error::InvalidInput(format!("a tenant's metadata: the secret `{place}` {wrong}"))
            };
            let ring = self.0.as_deref();
            let ring = ring.ok_or_else(|| refused(format!("cannot be kept: {}", no_keys())))?;
            let alone = mark.as_object().is_some_and(|fields| fields.len() == 1);
            let (secret, mark) = match &mark[MARK] {
                Value::String(secret) if alone => {
                    let secret = SecretString::from(secret.as_str());
                    checked(&secret).map_err(refused)?;
                    let mark = put(ring, id, &place, &secret);
                    (Ok(secret), mark)
                }
                Value::Null if alone => {
                    let kept = stored.and_then(|tenant| {
                        let mark = kept(given, &tenant.metadata, &place)?;
                        Some((self.open(tenant, &place, mark), mark.clone()))
                    });
                    kept.ok_or_else(|| {
                        refused(
                            "is to stay as it is stored, and none is stored there, or in a list \
                             that has changed: write it anew"
                                .to_owned(),
                        )
                    })?
                }
                _ => {
                    return Err(refused(format!(
                        "is none: write {{\"{MARK}\": \"…\"}}, or {{\"{MARK}\": null}} for the one \
                         that is stored"
                    )));
                }
            };
            numbered.put(&place, secret);
            replace(&mut sealed, &place, mark);
        }
        let read = numbered.read(read).map_err(Error::internal)?;
        Ok((sealed.into(), read))
    }

    /// A stored tenant's metadata with its secrets sealed by the first key, as far as
    /// they open; how many those were, and what is wrong with the others.
    pub(crate) fn resealed(&self, tenant: &TenantRecord) -> (Metadata, u64, Vec<Problem>) {
        let mut resealed = Value::clone(&tenant.metadata);
        let (mut count, mut problems) = (0, Vec::new());
        let Some(ring) = self.0.as_deref() else {
            return (resealed.into(), count, problems);
        };
        for (place, mark) in tenant.metadata.marked() {
            if Sealed::of(mark).is_some_and(|sealed| sealed.key == ring.encrypting().id()) {
                continue;
            }
            match self.open(tenant, &place, mark) {
                Ok(secret) => {
                    let mark = put(ring, tenant.id, &place, &secret);
                    replace(&mut resealed, &place, mark);
                    count += 1;
                }
                Err(problem) => problems.push(problem),
            }
        }
        (resealed.into(), count, problems)
    }

    /// The key that metadata is sealed with, if it is the first, by its id and with a
    /// proof of which it is: it is to be on the list wherever such metadata is stored.
    pub(crate) fn to_list(&self, metadata: &Metadata) -> Option<(String, Vec<u8>)> {
        let key = self.0.as_deref()?.encrypting();
        let sealed = metadata.keys().contains_key(key.id());
        sealed.then(|| (key.id().to_owned(), seal(key, About::Key, b"")))
    }

    /// The secret that is stored at a place.
    fn open(
        &self,
        tenant: &TenantRecord,
        place: &str,
        mark: &Value,
    ) -> Result<SecretString, Problem> {
        let what = format!(
            "the secret `{place}` in the metadata of the tenant `{}`",
            tenant.slug
        );
        let Some(Sealed { key, text }) = Sealed::of(mark) else {
            return Err(Problem::new(
                what,
                "is stored, and nobody has sealed it",
                "set it anew with the subcommand `tenants metadata`",
            ));
        };
        let opened = match (self.0.as_deref(), STANDARD.decode(text)) {
            (None, _) => Err(Unopened::NoKey(key.to_owned())),
            (Some(_), Err(_)) => Err(Unopened::Changed(key.to_owned())),
            (Some(ring), Ok(sealed)) => ring.open(key, About::Metadata(tenant.id, place), &sealed),
        };
        opened.map_err(|unopened| unopened.problem(what, "tenancy.tenants"))
    }
}

/// Metadata with numbers in the places of its secrets.
struct Numbered {
    metadata: Value,
    secrets: Vec<Result<SecretString, Problem>>,
}

impl Numbered {
    fn of(metadata: &Value) -> Self {
        Self {
            metadata: metadata.clone(),
            secrets: Vec::new(),
        }
    }

    fn put(&mut self, place: &str, secret: Result<SecretString, Problem>) {
        let number = json!({ MARK: self.secrets.len() });
        replace(&mut self.metadata, place, number);
        self.secrets.push(secret);
    }

    fn read<T>(self, read: impl FnOnce(&Value) -> T) -> Result<T, Problem> {
        with_secrets(self.secrets, || read(&self.metadata))
    }
}

/// A secret as it is stored.
fn put(ring: &KeyRing, id: TenantId, place: &str, secret: &SecretString) -> Value {
    let key = ring.encrypting();
    let secret = secret.expose_secret().as_bytes();
    let sealed = seal(key, About::Metadata(id, place), secret);
    json!({ MARK: { "key": key.id(), "sealed": STANDARD.encode(sealed) } })
}

fn replace(metadata: &mut Value, place: &str, mark: Value) {
    if let Some(there) = metadata.pointer_mut(place) {
        *there = mark;
    }
}

/// What is stored at a place, for who gives nothing there. In a list a place is a
/// number, which says little once the list has changed: another's secret would be taken
/// for it. So there the whole entry must be as it is shown.
fn kept<'a>(given: &'a Value, stored: &'a Value, place: &str) -> Option<&'a Value> {
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

#[cfg(test)]
mod tests {
    use super::super::setting::SecretSetting;
    use super::*;
    use crate::tenant::NewTenant;

    fn keys(ids: &[&str]) -> MetadataKeys {
        let keys = ids.iter().map(|id| KeyRing::generate_key(id).unwrap());
        let keys: Vec<_> = keys.map(|key| key.expose_secret().to_owned()).collect();
        MetadataKeys::new(Some(keys.join(",").parse().unwrap()))
    }

    fn tenant(keys: &MetadataKeys, metadata: Value) -> TenantRecord {
        let (id, given) = (TenantId::generate(), Metadata::from(metadata));
        let (metadata, ()) = keys.sealed(id, &given, None, |_| ()).unwrap();
        let mut record = TenantRecord::new(id, NewTenant::new("acme-corp").unwrap(), None);
        record.metadata = metadata;
        record
    }

    /// The secret that a setting at this place has.
    fn read(keys: &MetadataKeys, tenant: &TenantRecord, place: &str) -> Result<String, Problem> {
        let secret = keys.opened(tenant, |metadata| {
            let there = metadata.pointer(place).unwrap().clone();
            serde_json::from_value::<SecretSetting>(there)
        })?;
        Ok(secret.unwrap().expose_secret().to_owned())
    }

    fn change(
        keys: &MetadataKeys,
        tenant: &TenantRecord,
        to: Value,
    ) -> Result<TenantRecord, String> {
        let sealed = keys.sealed(tenant.id, &to.into(), Some(tenant), |_| ());
        let (metadata, ()) = sealed.map_err(|error| error.to_string())?;
        Ok(TenantRecord {
            metadata,
            ..tenant.clone()
        })
    }

    #[test]
    fn a_secret_opens_at_its_place_for_its_tenant_and_nowhere_else() {
        let keys = keys(&["a"]);
        let given = json!({"smtp": {"host": "mx", "password": {MARK: "hunter2"}}, "other": null});
        let acme = tenant(&keys, given);
        assert_eq!(read(&keys, &acme, "/smtp/password").unwrap(), "hunter2");
        let stored = acme.metadata.to_string();
        assert!(
            stored.contains("mx") && !stored.contains("hunter2"),
            "{stored}"
        );
        let mut elsewhere = Value::clone(&acme.metadata);
        elsewhere["other"] = elsewhere["smtp"]["password"].take();
        let globex = TenantRecord {
            id: TenantId::generate(),
            ..acme.clone()
        };
        let moved = TenantRecord {
            metadata: elsewhere.into(),
            ..acme.clone()
        };
        for (tenant, place) in [(&globex, "/smtp/password"), (&moved, "/other")] {
            let problem = read(&keys, tenant, place).unwrap_err().to_string();
            assert!(problem.contains("does not decrypt"), "{problem}");
            assert!(
                problem.contains(place) && problem.contains("acme-corp"),
                "{problem}"
            );
        }
        // The twin: sealed for where it is by now, it opens there.
        let secret = SecretString::from("hunter2");
        for (mut tenant, place) in [(globex, "/smtp/password"), (moved, "/other")] {
            let mark = put(keys.0.as_deref().unwrap(), tenant.id, place, &secret);
            let mut metadata = Value::clone(&tenant.metadata);
            replace(&mut metadata, place, mark);
            tenant.metadata = metadata.into();
            assert_eq!(read(&keys, &tenant, place).unwrap(), "hunter2");
        }
    }

    #[test]
    fn what_is_marked_and_is_no_secret_is_refused_and_so_is_what_looks_sealed() {
        let keys = keys(&["a"]);
        let acme = tenant(&keys, json!({"password": {MARK: "hunter2"}}));
        let as_stored = acme.metadata["password"].clone();
        for wrong in [
            json!({MARK: 5}),
            json!({MARK: ["hunter2"]}),
            json!({MARK: "hunter2", "more": 1}),
            json!({MARK: null, "more": 1}),
            json!({MARK: ""}),
            json!({MARK: "x".repeat(65_537)}),
            json!({MARK: {"key": "a", "sealed": "aHVudGVyMg=="}}),
            as_stored,
        ] {
            let said = change(&keys, &acme, json!({ "password": wrong })).unwrap_err();
            assert!(said.contains("the secret `/password`"), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
        let none = MetadataKeys::default();
        for given in [json!("hunter2"), json!(null)] {
            let said = change(&none, &acme, json!({ "a": [{MARK: given}] })).unwrap_err();
            assert!(said.contains("the secret `/a/0` cannot be kept"), "{said}");
            assert!(said.contains("secrets generate-key"), "{said}");
        }
    }

    #[test]
    fn what_is_shown_keeps_what_is_stored_at_its_place_when_it_is_given_back() {
        let keys = keys(&["a"]);
        let acme = tenant(
            &keys,
            json!({
                "theme": "dark", "password": {MARK: "hunter2"},
                "hooks": [{"url": "a", "key": {MARK: "for a"}}, {"url": "b", "key": {MARK: "for b"}}],
            }),
        );
        let mut shown = acme.metadata.shown();
        shown["theme"] = json!("light");
        let light = change(&keys, &acme, shown.clone()).unwrap();
        assert_eq!(light.metadata["theme"], "light");
        assert_eq!(light.metadata["password"], acme.metadata["password"]);
        assert_eq!(read(&keys, &light, "/hooks/1/key").unwrap(), "for b");
        // One of them is given anew.
        let mut other = shown.clone();
        other["hooks"][0]["key"] = json!({MARK: "new"});
        let other = change(&keys, &acme, other).unwrap();
        assert_eq!(read(&keys, &other, "/hooks/0/key").unwrap(), "new");
        assert_eq!(read(&keys, &other, "/hooks/1/key").unwrap(), "for b");
        assert_eq!(read(&keys, &other, "/password").unwrap(), "hunter2");
        // Where nothing is stored, nothing can stay.
        for (place, changed) in [
            ("/token", json!({"token": {MARK: null}})),
            ("/theme", json!({"theme": {MARK: null}})),
            (
                "/hooks/0/key",
                json!({"hooks": {"0": {"key": {MARK: null}}}}),
            ),
            // The first was taken away: what stands there now is another's place.
            ("/hooks/0/key", json!({"hooks": [shown["hooks"][1]]})),
            (
                "/hooks/0/key",
                json!({"hooks": [shown["hooks"][1], shown["hooks"][0]]}),
            ),
        ] {
            let said = change(&keys, &acme, changed).unwrap_err();
            assert!(
                said.contains(&format!("the secret `{place}` is to stay")),
                "{said}"
            );
        }
        let new = keys.sealed(acme.id, &shown.into(), None, |_| ());
        assert!(matches!(new, Err(Error::InvalidInput(_))));
    }

    #[test]
    fn what_does_not_open_hurts_nobody_who_does_not_ask_for_it() {
        let keys = keys(&["a"]);
        let mut acme = tenant(
            &keys,
            json!({"theme": "dark", "password": {MARK: "hunter2"}}),
        );
        let mut spoilt = Value::clone(&acme.metadata);
        spoilt["password"] = json!({MARK: "in plain"});
        acme.metadata = spoilt.into();
        let problem = read(&keys, &acme, "/password").unwrap_err().to_string();
        assert!(problem.contains("nobody has sealed it"), "{problem}");
        assert!(!problem.contains("in plain"), "{problem}");
        let theme = keys.opened(&acme, |metadata| metadata["theme"].clone());
        assert_eq!(theme.unwrap(), "dark");
        // Nor is it to be had in another way.
        let seen = keys.opened(&acme, ToString::to_string).unwrap();
        assert!(!seen.contains("in plain"), "{seen}");
    }

    #[test]
    fn all_that_opens_is_sealed_anew_by_the_first_key() {
        let [old, new] = ["old", "new"].map(|id| KeyRing::generate_key(id).unwrap());
        let [old, new] = [old, new].map(|key| key.expose_secret().to_owned());
        let ring = |text: &str| MetadataKeys::new(Some(text.parse().unwrap()));
        let (before, both) = (ring(&old), ring(&format!("{new},{old}")));
        let mut acme = tenant(
            &before,
            json!({"a": {MARK: "hunter2"}, "list": [{MARK: "hunter3"}], "bad": {MARK: "hunter4"}}),
        );
        let mut spoilt = Value::clone(&acme.metadata);
        spoilt["bad"] = spoilt["a"].clone();
        acme.metadata = spoilt.into();
        let (metadata, count, problems) = both.resealed(&acme);
        assert_eq!(
            metadata.keys(),
            [("new".to_owned(), 2), ("old".to_owned(), 1)].into()
        );
        assert_eq!((count, problems.len()), (2, 1));
        assert!(problems[0].about().contains("`/bad`"), "{problems:?}");
        acme.metadata = metadata;
        let after = ring(&new);
        assert_eq!(read(&after, &acme, "/a").unwrap(), "hunter2");
        assert_eq!(read(&after, &acme, "/list/0").unwrap(), "hunter3");
        let (again, count, _) = both.resealed(&acme);
        assert_eq!((again, count), (acme.metadata, 0));
    }
}
