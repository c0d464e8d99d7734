use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::tenant::TenantRecord;

/// The application's type of tenants' metadata, for those who store it.
#[derive(Clone, Copy)]
pub(crate) struct Settings(fn(&Value) -> Result<(), String>);

impl Settings {
    /// Metadata of any kind, as long as it is an object.
    pub(crate) fn any() -> Self {
        Self::of::<IgnoredAny>()
    }

    pub(crate) fn of<S: DeserializeOwned>() -> Self {
        Self(|metadata| parse::<S>(metadata).map(drop))
    }

    /// A stored tenant's settings.
    pub(crate) fn read<S: DeserializeOwned>(tenant: &TenantRecord) -> Result<S, Problem> {
        parse(&tenant.metadata).map_err(|wrong| stored(tenant, &wrong))
    }

    /// Refuses metadata that is none, before it is stored.
    pub(crate) fn check(self, metadata: &Value) -> Result<()> {
        if !metadata.is_object() {
            let wrong = "a tenant's metadata is a JSON object";
            return Err(Error::InvalidInput(wrong.to_owned()));
        }
        let refused = |wrong| Error::InvalidInput(format!("a tenant's metadata: {wrong}"));
        (self.0)(metadata).map_err(refused)
    }

    /// What is wrong with that of a stored tenant.
    pub(crate) fn problem(self, tenant: &TenantRecord) -> Option<Problem> {
        let wrong = (self.0)(&tenant.metadata).err()?;
        Some(stored(tenant, &wrong))
    }
}

/// The error names the field.
fn parse<S: DeserializeOwned>(metadata: &Value) -> Result<S, String> {
    serde_path_to_error::deserialize(metadata).map_err(|error| {
        let path = error.path().to_string();
        match path.as_str() {
            "." => error.inner().to_string(),
            path => format!("`{path}`: {}", error.inner()),
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
