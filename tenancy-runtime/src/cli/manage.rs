use std::io::{self, Write};

use super::Command;
use crate::app::Tenancy;
use crate::error::{Error, Result};
use crate::tenant::TenantRecord;

/// Runs a command other than `serve`.
pub(crate) async fn manage(command: Command, tenancy: &Tenancy) -> Result<()> {
    let provisioner = tenancy.provisioner();
    match command {
        Command::Serve => Err(Error::internal("serving is not a management command")),
        Command::Migrate => {
            tenancy.migrate().await?;
            say("The registry and all tables are as they should be.")
        }
        Command::Verify => {
            tenancy.refuse_unsafe().await?;
            say("Roles, tables, policies and grants are as they should be.")
        }
        Command::List => print(&provisioner.all().await?),
        Command::Create(new) => print(&[provisioner.provision(new).await?]),
        Command::Suspend(slug) => print(&[provisioner.suspend(&slug).await?]),
        Command::Activate(slug) => print(&[provisioner.activate(&slug).await?]),
    }
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
