use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use super::SecretsCommand;
use super::input::input;
use super::manage::{say, there};
use crate::app::Tenancy;
use crate::error::{Error, Result};
use crate::secrets::{KeyRing, TenantSecrets};
use crate::tenant::Slug;

/// More than a secret has; what is longer is refused by its length.
const MOST_READ: u64 = 128 * 1024;

/// Prints a new key. Needs no configuration, which may lack just that key.
pub(crate) fn generate_key(id: Option<&str>) -> Result<()> {
    let today = chrono::Utc::now().format("%Y-%m-%d").to_string();
    let key = KeyRing::generate_key(id.unwrap_or(&today));
    let key = key.map_err(|_| {
        Error::InvalidInput(
            "an id is 1 to 32 characters of a-z, A-Z, 0-9, `_`, `.` and `-`".to_owned(),
        )
    })?;
    say(key.expose_secret())
}

pub(super) async fn manage(command: SecretsCommand, tenancy: &Tenancy) -> Result<()> {
    match command {
        SecretsCommand::GenerateKey(id) => generate_key(id.as_deref()),
        SecretsCommand::Set(slug, name) => {
            let secrets = of(tenancy, &slug).await?;
            secrets.set(&name, read()?).await?;
            say(&format!("`{slug}` has a secret `{name}`."))
        }
        SecretsCommand::List(slug) => {
            let names = of(tenancy, &slug).await?.names().await?;
            names.iter().try_for_each(|name| say(name))
        }
        SecretsCommand::Remove(slug, name) => {
            if of(tenancy, &slug).await?.remove(&name).await? {
                return say(&format!("`{slug}` has no secret `{name}` any more."));
            }
            let none = format!("`{slug}` has no secret `{name}`");
            Err(Error::InvalidInput(none))
        }
        SecretsCommand::Keys => in_use(&tenancy.secrets()?.keys_in_use().await?),
        SecretsCommand::Rotate => rotate(tenancy).await,
    }
}

async fn of(tenancy: &Tenancy, slug: &Slug) -> Result<TenantSecrets> {
    let secrets = tenancy.secrets()?;
    let found = tenancy.registry().find(slug).await?.ok_or(Error::NotFound);
    Ok(secrets.of_record(&there(slug, found)?))
}

/// Reads a secret. A line's end after it is none of it.
fn read() -> Result<SecretString> {
    let text = input("the secret", MOST_READ)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    Ok(SecretString::from(text))
}

async fn rotate(tenancy: &Tenancy) -> Result<()> {
    let all = tenancy.secrets()?;
    let progress = |slug: &Slug, rewritten| {
        tracing::info!(tenant = %slug, rewritten, "rotating");
    };
    let rotation = all.rotate(progress).await?;
    say(&format!("{} re-encrypted.", secrets(rotation.rewritten)))?;
    in_use(&rotation.in_use)?;
    for key in &rotation.forgotten {
        say(&format!(
            "No secret needs the key `{key}`: it may leave TENANCY_ENCRYPTION_KEY."
        ))?;
    }
    match rotation.problems.as_slice() {
        [] => Ok(()),
        problems => {
            let problems = problems.iter().map(ToString::to_string);
            let problems = problems.collect::<Vec<_>>().join("\n");
            Err(Error::Conflict(format!(
                "some secrets could not be re-encrypted:\n{problems}"
            )))
        }
    }
}

fn in_use(keys: &BTreeMap<String, u64>) -> Result<()> {
    keys.iter()
        .try_for_each(|(key, count)| say(&format!("{key:<32} {}", secrets(*count))))
}

fn secrets(count: u64) -> String {
    format!("{count} secret{}", if count == 1 { "" } else { "s" })
}
