//! What there is of secrets in a build that encrypts nothing: a word to who writes
//! some into a tenant's metadata.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::problem::{Problem, shown};
use crate::tenant::{Metadata, TenantId, TenantRecord};

/// No keys: secrets in metadata are neither stored nor opened.
#[derive(Debug, Clone, Default)]
pub(crate) struct MetadataKeys(());

impl MetadataKeys {
    pub(crate) fn opened<T>(
        &self,
        tenant: &TenantRecord,
        read: impl FnOnce(&Value) -> T,
    ) -> Result<T, Problem> {
        Ok(read(&tenant.metadata.shown()))
    }

    /// None is asked for: there is no setting that opens one.
    pub(crate) fn unopened(&self, _: &TenantRecord) -> Vec<Problem> {
        Vec::new()
    }

    pub(crate) fn sealed<T>(
        &self,
        _: TenantId,
        given: &Metadata,
        _: Option<&TenantRecord>,
        read: impl FnOnce(&Value) -> T,
    ) -> Result<(Metadata, T)> {
        match given.marked().first() {
            None => Ok((given.clone(), read(given))),
            Some((place, _)) => Err(Error::InvalidInput(format!(
                "a tenant's metadata: the secret `{}` cannot be kept, as this build encrypts \
                 nothing; add the feature in Cargo.toml: tenancy = {{ features = \
                 [\"encryption\"] }}",
                shown(place)
            ))),
        }
    }

    pub(crate) fn to_list(&self, _: &Metadata) -> Option<(String, Vec<u8>)> {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_marked_is_refused_with_a_word_of_the_feature() {
        let (keys, id) = (MetadataKeys::default(), TenantId::generate());
        let sealed = |given: Value| keys.sealed(id, &given.into(), None, |_| ());
        for given in [json!("hunter2"), json!(null)] {
            let refused = sealed(json!({"a": {"$secret": given}}));
            let said = refused.err().unwrap().to_string();
            assert!(
                said.contains("`/a`") && said.contains("encryption"),
                "{said}"
            );
            assert!(!said.contains("hunter2"), "{said}");
        }
        assert!(sealed(json!({"a": "b"})).is_ok());
    }
}
