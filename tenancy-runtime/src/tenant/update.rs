use std::collections::BTreeMap;

use chrono::Utc;
use serde::{Deserialize, Deserializer};
#[cfg(feature = "openapi")]
use serde_json::{Map, Value};

use super::{Metadata, Override, TenantRecord, check_name};
use crate::error::{Error, Result};

/// What is to change of a tenant; what is not named stays as it is.
///
/// It reads JSON, such as `{"plan": "pro", "overrides": {"exports": {"granted": true,
/// "until": "2027-01-01T00:00:00Z"}, "forecasts": null}}`, and refuses names that it
/// does not know.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct TenantUpdate {
    /// The name for people.
    #[serde(deserialize_with = "given")]
    #[cfg_attr(
        feature = "openapi",
        schemars(with = "String", skip_serializing_if = "Option::is_none")
    )]
    pub name: Option<String>,
    /// The plan.
    #[serde(deserialize_with = "given")]
    #[cfg_attr(
        feature = "openapi",
        schemars(with = "String", skip_serializing_if = "Option::is_none")
    )]
    pub plan: Option<String>,
    /// What the application keeps with the tenant, all of it: a JSON object.
    /// `{"$secret": "…"}` in it is a secret, and `{"$secret": null}` keeps the one that
    /// is stored there.
    #[serde(deserialize_with = "given")]
    #[cfg_attr(
        feature = "openapi",
        schemars(with = "Map<String, Value>", skip_serializing_if = "Option::is_none")
    )]
    pub metadata: Option<Metadata>,
    /// By feature, whether the tenant is granted it or refused it whatever its plan
    /// says, and until when; `null` leaves it to the plan again.
    pub overrides: BTreeMap<String, Option<Override>>,
}

/// A value that is there if it is named: `null` would read as if it were not.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

impl TenantUpdate {
    /// The names of what changes, for people.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let all = [
            ("name", self.name.is_some()),
            ("plan", self.plan.is_some()),
            ("metadata", self.metadata.is_some()),
            ("overrides", !self.overrides.is_empty()),
        ];
        let given = all.into_iter().filter(|(_, given)| *given);
        given.map(|(name, _)| name).collect()
    }

    /// Refuses what is none, and an update that changes nothing.
    pub(crate) fn check(&self) -> Result<()> {
        if self.names().is_empty() {
            return Err(Error::InvalidInput(
                "nothing changes: name one or more of `name`, `plan`, `metadata` and `overrides`"
                    .to_owned(),
            ));
        }
        let name = self.name.iter().map(|name| ("name", name));
        let plan = self.plan.iter().map(|plan| ("plan", plan));
        let features = self.overrides.keys().map(|feature| ("feature", feature));
        let mut names = name.chain(plan).chain(features);
        names.try_for_each(|(what, text)| check_name(what, text))?;
        self.overrides.values().flatten().try_for_each(check_until)
    }

    /// Changes the record, which its caller holds locked.
    pub(crate) fn apply(self, record: &mut TenantRecord) {
        if let Some(name) = self.name {
            record.name = name;
        }
        if self.plan.is_some() {
            record.plan = self.plan;
        }
        if let Some(metadata) = self.metadata {
            record.metadata = metadata;
        }
        for (feature, exception) in self.overrides {
            match exception {
                Some(exception) => {
                    record.overrides.insert(feature, exception);
                }
                None => {
                    record.overrides.remove(&feature);
                    record.features.remove(&feature);
                }
            }
        }
    }
}

/// Refuses an override that holds no more.
fn check_until(exception: &Override) -> Result<()> {
    if exception.holds_at(Utc::now()) {
        return Ok(());
    }
    Err(Error::InvalidInput(
        "the time until which it would hold is over".to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::{NewTenant, TenantId};

    fn read(text: &str) -> Result<TenantUpdate, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn what_is_not_named_stays_and_null_is_no_name() {
        let new = NewTenant::new("acme-corp").unwrap().plan("pro");
        let new = new.feature("exports").feature("forecasts");
        let mut record = TenantRecord::new(TenantId::generate(), new, None);
        let update = read(r#"{"overrides": {"exports": null, "audits": {"granted": false}}}"#);
        let update = update.unwrap();
        update.check().unwrap();
        update.apply(&mut record);
        assert_eq!(record.plan.as_deref(), Some("pro"));
        assert!(record.features.iter().eq(["forecasts"]));
        assert!(!record.overrides["audits"].granted);
        for wrong in [
            r#"{"plan": null}"#,
            r#"{"metadata": null}"#,
            r#"{"metadata": []}"#,
            r#"{"slug": "globex"}"#,
            r#"{"status": "active"}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        for wrong in [
            "{}",
            r#"{"name": " "}"#,
            r#"{"plan": "a\nb"}"#,
            r#"{"overrides": {"x": {"granted": true, "until": "2001-01-01T00:00:00Z"}}}"#,
        ] {
            assert!(read(wrong).unwrap().check().is_err(), "{wrong}");
        }
    }
}
