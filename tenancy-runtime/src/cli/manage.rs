use std::io::{self, Write};

use super::{Command, GivenMetadata};
use crate::app::Tenancy;
use crate::error::{Error, Result};
use crate::tenant::{NewTenant, Receipt, Slug, TenantRecord};

/// Runs a command other than `serve`.
pub(crate) async fn manage(command: Command, tenancy: &Tenancy) -> Result<()> {
    let provisioner = tenancy.provisioner();
    if !matches!(command, Command::Migrate(_) | Command::Verify) {
        tenancy.refuse_forgetful()?;
    }
    match command {
        Command::Serve => Err(Error::internal("serving is not a management command")),
        Command::Migrate(Some(slug)) => {
            tenancy.migrate_tenant(&slug).await?;
            say(&format!("The tables of `{slug}` are as they should be."))
        }
        Command::Migrate(None) => {
            tenancy.migrate().await?;
            say("The registry and all tables are as they should be.")
        }
        Command::Verify => {
            tenancy.refuse_unsafe().await?;
            say("Roles, tables, policies and grants are as they should be.")
        }
        Command::List => print(&provisioner.all().await?),
        Command::Create(new, metadata) => {
            let metadata = metadata.map(GivenMetadata::read).transpose()?;
            let metadata = metadata.unwrap_or_default();
            let new = NewTenant { metadata, ..new };
            print(&[provisioner.provision(new).await?])
        }
        #[cfg(feature = "encryption")]
        Command::CreateWithLogins(new, metadata) => {
            let (logins, metadata) = super::logins::read_with(metadata)?;
            let new = NewTenant { metadata, ..new };
            print(&[provisioner.provision_with_logins(new, logins).await?])
        }
        #[cfg(feature = "encryption")]
        Command::SetLogins(slug) => {
            let changed = provisioner.set_logins(&slug, super::logins::read()?).await;
            print(&[there(&slug, changed)?])
        }
        Command::Plan(slug, plan) => {
            print(&[there(&slug, provisioner.set_plan(&slug, &plan).await)?])
        }
        Command::Grant(slug, feature, until) => {
            let granted = provisioner.grant(&slug, feature, until).await;
            print_features(&there(&slug, granted)?)
        }
        Command::Revoke(slug, feature, until) => {
            let revoked = provisioner.revoke(&slug, feature, until).await;
            print_features(&there(&slug, revoked)?)
        }
        Command::Reset(slug, feature) => {
            print_features(&there(&slug, provisioner.reset(&slug, feature).await)?)
        }
        Command::Metadata(slug, metadata) => print(&[there(
            &slug,
            provisioner.set_metadata(&slug, metadata.read()?).await,
        )?]),
        Command::Suspend(slugs) => print_all(provisioner.suspend_all(&slugs).await),
        Command::Activate(slugs) => print_all(provisioner.activate_all(&slugs).await),
        Command::Rename(slug, to) => print(&[there(&slug, provisioner.rename(&slug, &to).await)?]),
        Command::Delete(slug) => print(&[there(&slug, provisioner.delete(&slug).await)?]),
        Command::Restore(slug) => print(&[there(&slug, provisioner.restore(&slug).await)?]),
        Command::Destroy(slug) => print_receipt(&there(&slug, provisioner.destroy(&slug).await)?),
        #[cfg(feature = "encryption")]
        Command::Secrets(command) => super::secrets::manage(command, tenancy).await,
        Command::Receipt(slug) => print_receipt(&there(&slug, provisioner.receipt(&slug).await)?),
        #[cfg(feature = "domains")]
        Command::Domains(command) => super::domains::run(command, tenancy).await,
    }
}

/// Says by name what is not there.
pub(super) fn there<T>(slug: &Slug, result: Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        Error::NotFound => Error::InvalidInput(format!("there is no tenant `{slug}`")),
        error => error,
    })
}

/// Those that succeeded in columns; the others are the error, by name.
fn print_all(results: Vec<(Slug, Result<TenantRecord>)>) -> Result<()> {
    let mut done = Vec::new();
    let mut problems = Vec::new();
    for (slug, result) in results {
        match result {
            Ok(tenant) => done.push(tenant),
            Err(Error::NotFound) => problems.push(format!("there is no tenant `{slug}`")),
            Err(error) => problems.push(error.to_string()),
        }
    }
    if !done.is_empty() {
        print(&done)?;
    }
    match problems.as_slice() {
        [] => Ok(()),
        problems => Err(Error::Conflict(problems.join("\n"))),
    }
}

fn print_receipt(receipt: &Receipt) -> Result<()> {
    let json = serde_json::to_string_pretty(receipt).map_err(Error::internal)?;
    say(&json)
}

/// What a tenant has or lacks whatever its plan says.
fn print_features(tenant: &TenantRecord) -> Result<()> {
    let (slug, plan) = (&tenant.slug, tenant.plan.as_deref().unwrap_or("-"));
    let mut lines = vec![format!("{slug} is on the plan {plan}, and beside that:")];
    lines.extend(
        tenant
            .features
            .iter()
            .map(|feature| format!("  {feature} since it was registered")),
    );
    lines.extend(tenant.overrides.iter().map(|(feature, exception)| {
        let word = if exception.granted {
            "granted"
        } else {
            "revoked"
        };
        match exception.until {
            Some(until) => format!("  {feature} {word} until {until}"),
            None => format!("  {feature} {word}"),
        }
    }));
    say(&lines.join("\n"))
}

pub(super) fn say(line: &str) -> Result<()> {
    written(writeln!(io::stdout(), "{line}"))
}

/// A reader that has seen enough is no error.
fn written(outcome: io::Result<()>) -> Result<()> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::internal(error)),
        _ => Ok(()),
    }
}

/// One line for each tenant, in columns that a script can cut.
fn print(tenants: &[TenantRecord]) -> Result<()> {
    let mut lines = vec![columns(["slug", "status", "isolation", "plan", "id"])];
    lines.extend(tenants.iter().map(|tenant| {
        let isolation = tenant.strategy();
        columns([
            tenant.slug.as_str(),
            tenant.status.as_str(),
            isolation.map_or("-", crate::isolation::Strategy::as_str),
            tenant.plan.as_deref().unwrap_or("-"),
            &tenant.id.to_string(),
        ])
    }));
    say(&lines.join("\n"))
}

fn columns([slug, status, isolation, plan, id]: [&str; 5]) -> String {
    format!("{slug:<24} {status:<12} {isolation:<9} {plan:<12} {id}")
}
