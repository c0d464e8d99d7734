use std::io::{self, Write};

use super::Command;
use crate::app::Tenancy;
use crate::error::{Error, Result};
use crate::tenant::{Receipt, Slug, TenantRecord};

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
        Command::Create(new) => print(&[provisioner.provision(new).await?]),
        Command::Suspend(slugs) => print_all(provisioner.suspend_all(&slugs).await),
        Command::Activate(slugs) => print_all(provisioner.activate_all(&slugs).await),
        Command::Rename(slug, to) => print(&[provisioner.rename(&slug, &to).await?]),
        Command::Delete(slug) => print(&[provisioner.delete(&slug).await?]),
        Command::Restore(slug) => print(&[provisioner.restore(&slug).await?]),
        Command::Destroy(slug) => print_receipt(&provisioner.destroy(&slug).await?),
        Command::Receipt(slug) => print_receipt(&provisioner.receipt(&slug).await?),
    }
}

/// Those that succeeded in columns; the others are the error, by name.
fn print_all(results: Vec<(Slug, Result<TenantRecord>)>) -> Result<()> {
    let mut done = Vec::new();
    let mut problems = Vec::new();
    for (slug, result) in results {
        match result {
            Ok(tenant) => done.push(tenant),
            Err(Error::NotFound) => problems.push(format!("`{slug}`: there is no such tenant")),
            Err(error) => problems.push(format!("`{slug}`: {error}")),
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

fn say(line: &str) -> Result<()> {
    writeln!(io::stdout(), "{line}").map_err(Error::internal)
}

/// One line for each tenant, in columns that a script can cut.
fn print(tenants: &[TenantRecord]) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{:<24} {:<12} {:<9} {:<12} id",
        "slug", "status", "isolation", "plan"
    )?;
    for tenant in tenants {
        let isolation = tenant
            .strategy()
            .map_or("-", crate::isolation::Strategy::as_str);
        writeln!(
            out,
            "{:<24} {:<12} {:<9} {:<12} {}",
            tenant.slug.as_str(),
            tenant.status.as_str(),
            isolation,
            tenant.plan.as_deref().unwrap_or("-"),
            tenant.id,
        )?;
    }
    Ok(())
}
