use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::problem::{Problem, shown, shown_within};
use crate::sealing::MetadataKeys;
use crate::tenant::{DEEPEST, Metadata, TenantId, TenantRecord};

/// The application's type of tenants' metadata, for those who store it, and the keys
/// of the secrets in it.
#[derive(Clone)]
pub(crate) struct Settings {
    read: fn(&Value) -> Result<(), String>,
    keys: MetadataKeys,
}

impl Settings {
    /// Metadata of any kind, as long as it is an object.
    pub(crate) fn any() -> Self {
        Self::of::<IgnoredAny>()
    }

    pub(crate) fn of<S: DeserializeOwned>() -> Self {
        Self {
            read: |metadata| parse::<S>(metadata).map(drop),
            keys: MetadataKeys::default(),
        }
    }

    /// The same, with secrets that these keys seal.
    pub(crate) fn sealed_by(mut self, keys: MetadataKeys) -> Self {
        self.keys = keys;
        self
    }

    /// A stored tenant's settings.
    pub(crate) fn read<S: DeserializeOwned>(
        tenant: &TenantRecord,
        keys: &MetadataKeys,
    ) -> Result<S, Problem> {
        let read = keys.opened(tenant, parse::<S>)?;
        read.map_err(|wrong| stored(tenant, &wrong))
    }

    /// Metadata that somebody gives, as it is stored for the tenant of this id; what is
    /// none is refused. Secrets that are not given again are those of the tenant as it
    /// is `stored`.
    pub(crate) fn sealed(
        &self,
        id: TenantId,
        metadata: &Metadata,
        stored: Option<&TenantRecord>,
    ) -> Result<Metadata> {
        if !metadata.is_object() {
            let wrong = "a tenant's metadata is a JSON object";
            return Err(Error::InvalidInput(wrong.to_owned()));
        }
        if metadata.is_too_deep() {
            return Err(Error::InvalidInput(format!(
                "a tenant's metadata: has objects and lists within each other in more than \
                 {DEEPEST} levels"
            )));
        }
        let refused = |wrong| Error::InvalidInput(format!("a tenant's metadata: {wrong}"));
        let (sealed, read) = self.keys.sealed(id, metadata, stored, self.read)?;
        read.map_err(refused)?;
        Ok(sealed)
    }

    /// A stored tenant's metadata with its secrets sealed by the first key, as far as
    /// they open; how many those were, and what is wrong with the others.
    #[cfg(feature = "encryption")]
    pub(crate) fn resealed(&self, tenant: &TenantRecord) -> (Metadata, u64, Vec<Problem>) {
        self.keys.resealed(tenant)
    }

    /// The key that metadata is sealed with, which is to be on the list wherever it is
    /// stored: its id, and a proof of which it is.
    pub(crate) fn key_to_list(&self, metadata: &Metadata) -> Option<(String, Vec<u8>)> {
        self.keys.to_list(metadata)
    }

    /// What is wrong with that of a stored tenant. Its secrets are all tried, whether or
    /// not the application's type asks for them: others may, where it names none.
    pub(crate) fn problems(&self, tenant: &TenantRecord) -> Vec<Problem> {
        let mut problems = self.keys.unopened(tenant);
        // What it asks for and does not open is among them.
        if let Ok(Err(wrong)) = self.keys.opened(tenant, self.read) {
            problems.push(stored(tenant, &wrong));
        }
        problems
    }
}

/// The error names the field.
fn parse<S: DeserializeOwned>(metadata: &Value) -> Result<S, String> {
    serde_path_to_error::deserialize(metadata).map_err(|error| {
        let (path, wrong) = (error.path().to_string(), error.inner().to_string());
        let wrong = shown_within(&wrong);
        match path.as_str() {
            "." => wrong,
            path => format!("`{}`: {wrong}", shown(path)),
        }
    })
}

fn stored(tenant: &TenantRecord, wrong: &str) -> Problem {
    Problem::new(
        format!("the tenant `{}` as it is stored", tenant.slug),
        format!("has metadata that is none of the application's settings: {wrong}"),
        "mend it with the subcommand `tenants metadata`",
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Theme {
        #[serde(rename = "theme")]
        _theme: Option<String>,
    }

    #[test]
    fn what_somebody_gives_is_told_escaped_and_bounded() {
        let given = "a\nERROR forged\u{1b}[31m";
        let (numbers, theme) = (
            Settings::of::<BTreeMap<String, u8>>(),
            Settings::of::<Theme>(),
        );
        for (settings, metadata) in [
            (&numbers, json!({ given: "b" })),
            (&theme, json!({ given: "b" })),
            (&theme, json!({ "theme": [given] })),
        ] {
            let refused = settings.sealed(TenantId::generate(), &metadata.into(), None);
            let said = refused.unwrap_err().to_string();
            assert!(!said.contains(char::is_control), "{said:?}");
        }
        let long = json!({ "a".repeat(100_000): "b" }).into();
        for settings in [numbers, theme] {
            let said = settings.sealed(TenantId::generate(), &long, None);
            assert!(said.unwrap_err().to_string().len() < 2_000);
        }
    }
}
