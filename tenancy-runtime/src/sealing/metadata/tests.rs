//! What is sealed opens, stays and is sealed anew where it should, and nowhere else.

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

fn change(keys: &MetadataKeys, tenant: &TenantRecord, to: Value) -> Result<TenantRecord, String> {
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

/// The same with entries that are lists themselves, and others beside them.
#[test]
fn a_secret_stays_in_an_entry_that_is_the_same_whatever_became_of_others() {
    let keys = keys(&["a"]);
    let secret = |value: &str| json!({MARK: value});
    let acme = tenant(
        &keys,
        json!({"a": [[{"keys": [secret("0"), secret("1")]}], [secret("2"), "b"]]}),
    );
    let mut given = acme.metadata.shown();
    given["a"][1][1] = json!("c");
    given["a"][1][0] = secret("new");
    let changed = change(&keys, &acme, given.clone()).unwrap();
    for (place, value) in [("0/0/keys/0", "0"), ("0/0/keys/1", "1"), ("1/0", "new")] {
        let read = read(&keys, &changed, &format!("/a/{place}"));
        assert_eq!(read.unwrap(), value);
    }
    given["a"][1][0] = json!({MARK: null});
    let said = change(&keys, &acme, given).unwrap_err();
    assert!(said.contains("the secret `/a/1/0` is to stay"), "{said}");
}

#[test]
fn as_many_secrets_as_there_may_be_are_kept_and_one_more_is_refused() {
    let keys = keys(&["a"]);
    let with = |count: usize| {
        let secrets = (0..count).map(|number| (format!("k{number}"), json!({MARK: "hunter2"})));
        json!({"list": [serde_json::Map::from_iter(secrets)]})
    };
    let acme = tenant(&keys, with(MOST));
    let kept = change(&keys, &acme, acme.metadata.shown()).unwrap();
    assert_eq!(kept.metadata, acme.metadata);
    assert_eq!(read(&keys, &kept, "/list/0/k999").unwrap(), "hunter2");
    let said = change(&keys, &acme, with(MOST + 1)).unwrap_err();
    assert!(said.contains("has 1001 secrets, and 1000 are"), "{said}");
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

#[test]
fn what_comes_from_elsewhere_is_escaped_wherever_it_is_told() {
    let keys = keys(&["a"]);
    let name = "a\nERROR forged\u{1b}[31m";
    let mut acme = tenant(&keys, json!({}));
    let mut told = vec![change(&keys, &acme, json!({ name: {MARK: 5} })).unwrap_err()];
    for stored in [
        json!({ name: {MARK: "in plain"} }),
        json!({ "password": {MARK: {"key": name, "sealed": "aHVudGVyMg=="}} }),
    ] {
        acme.metadata = stored.into();
        let problems = keys.unopened(&acme);
        told.extend(problems.iter().map(ToString::to_string));
    }
    assert_eq!(told.len(), 3);
    for said in told {
        assert!(!said.contains(char::is_control), "{said:?}");
        assert!(said.contains(r"a\nERROR forged\u{1b}[31m"), "{said}");
    }
}
