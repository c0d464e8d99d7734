//! Secrets in the metadata of tenants: sealed where somebody gives them, and open to
//! the application's settings.

mod kept;
mod numbered;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use self::kept::Kept;
use self::numbered::Numbered;
use super::ring::KeyRing;
use super::seal::{About, Unopened, seal};
use super::setting::Opening;
use super::{checked, no_keys};
use crate::error::{Error, Result};
use crate::problem::{Problem, shown};
use crate::tenant::{MARK, Metadata, Sealed, Slug, TenantId, TenantRecord};

/// The most secrets in one tenant's metadata, which comes with the tenant to every
/// process and is looked through wherever it is read.
const MOST: usize = 1_000;

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
            numbered.put(&place, self.opening(tenant, &place, mark));
        }
        numbered.read(read)
    }

    /// What is wrong with those of a stored tenant's secrets that do not open.
    pub(crate) fn unopened(&self, tenant: &TenantRecord) -> Vec<Problem> {
        let marked = tenant.metadata.marked().into_iter();
        let opened = marked.map(|(place, mark)| self.open(tenant.id, &tenant.slug, &place, mark));
        opened.filter_map(Result::err).collect()
    }

    /// Metadata as it is stored for the tenant of this id, and what `read` makes of it.
    ///
    /// Refused is what is marked and is no secret, and one that looks as if it were
    /// sealed already: nothing is stored so but what was sealed here. So are more
    /// secrets than [`MOST`].
    pub(crate) fn sealed<T>(
        &self,
        id: TenantId,
        given: &Metadata,
        stored: Option<&TenantRecord>,
        read: impl FnOnce(&Value) -> T,
    ) -> Result<(Metadata, T)> {
        let marked = given.marked();
        if marked.len() > MOST {
            return Err(Error::InvalidInput(format!(
                "a tenant's metadata: has {} secrets, and {MOST} are the most",
                marked.len()
            )));
        }
        let mut sealed = Value::clone(given);
        let mut numbered = Numbered::of(given);
        let mut stored = stored.map(|tenant| (tenant, Kept::of(given, &tenant.metadata)));
        for (place, mark) in marked {
            let taken = self.taken(id, &place, mark, stored.as_mut());
            let (secret, mark) = taken.map_err(|wrong| {
                let place = shown(&place);
                Error::InvalidInput(format!("a tenant's metadata: the secret `{place}` {wrong}"))
            })?;
            numbered.put(&place, secret);
            replace(&mut sealed, &place, mark);
        }
        let read = numbered.read(read).map_err(Error::internal)?;
        Ok((sealed.into(), read))
    }

    /// What is marked at a place as a secret, and as it is stored; or in words that go
    /// on from its place what is wrong with it.
    fn taken(
        &self,
        id: TenantId,
        place: &str,
        mark: &Value,
        stored: Option<&mut (&TenantRecord, Kept<'_>)>,
    ) -> Result<(Opening, Value), String> {
        let ring = self.0.as_deref();
        let ring = ring.ok_or_else(|| format!("cannot be kept: {}", no_keys()))?;
        let alone = mark.as_object().is_some_and(|fields| fields.len() == 1);
        match &mark[MARK] {
            Value::String(secret) if alone => {
                let secret = SecretString::from(secret.as_str());
                checked(&secret)?;
                let mark = put(ring, id, place, &secret);
                Ok((Box::new(move || Ok(secret.clone())), mark))
            }
            Value::Null if alone => {
                let kept = stored.and_then(|(tenant, kept)| {
                    let mark = kept.mark(place)?;
                    Some((self.opening(tenant, place, mark), mark.clone()))
                });
                kept.ok_or_else(|| {
                    "is to stay as it is stored, and none is stored there, or in a list that has \
                     changed: write it anew"
                        .to_owned()
                })
            }
            _ => Err(format!(
                "is none: write {{\"{MARK}\": \"…\"}}, or {{\"{MARK}\": null}} for the one that is \
                 stored"
            )),
        }
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
            match self.open(tenant.id, &tenant.slug, &place, mark) {
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

    /// The secret that is stored at a place, for who may ask for it.
    fn opening(&self, tenant: &TenantRecord, place: &str, mark: &Value) -> Opening {
        let (keys, id, slug) = (self.clone(), tenant.id, tenant.slug.clone());
        let (place, mark) = (place.to_owned(), mark.clone());
        Box::new(move || keys.open(id, &slug, &place, &mark))
    }

    /// The secret that is stored at a place.
    fn open(
        &self,
        id: TenantId,
        slug: &Slug,
        place: &str,
        mark: &Value,
    ) -> Result<SecretString, Problem> {
        let what = format!(
            "the secret `{}` in the metadata of the tenant `{slug}`",
            shown(place)
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
            (Some(ring), Ok(sealed)) => ring.open(key, About::Metadata(id, place), &sealed),
        };
        opened.map_err(|unopened| unopened.problem(what, "tenancy.tenants"))
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
