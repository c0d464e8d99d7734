//! The commands for domains that tenants bring.

use std::time::Duration;

use super::manage::say;
use crate::app::Tenancy;
use crate::domains::{Challenge, DomainName, Rechecked, TenantDomain};
use crate::error::{Error, Result};
use crate::tenant::Slug;

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DomainCommand {
    /// To take note that a tenant wants a domain.
    Claim(Slug, DomainName),
    /// To look for its proof.
    Verify(Slug, DomainName),
    /// To list a tenant's.
    List(Slug),
    /// To take one away.
    Remove(Slug, DomainName),
    /// To look at all of them again, with so many days of grace.
    Recheck(u16),
}

pub(super) async fn run(command: DomainCommand, tenancy: &Tenancy) -> Result<()> {
    let domains = tenancy.domains()?;
    match command {
        DomainCommand::Claim(tenant, domain) => {
            let challenge = domains.claim(&tenant, &domain).await;
            let challenge = challenge.map_err(|error| match error {
                Error::NotFound => Error::InvalidInput(format!("there is no tenant `{tenant}`")),
                error => error,
            })?;
            say(&published(&challenge))
        }
        DomainCommand::Verify(tenant, domain) => {
            let verified = domains.verify(&tenant, &domain).await;
            print(&[claimed(&tenant, &domain, verified)?])
        }
        DomainCommand::List(tenant) => print(&domains.list(&tenant).await?),
        DomainCommand::Remove(tenant, domain) => {
            let removed = domains.remove(&tenant, &domain).await;
            claimed(&tenant, &domain, removed)?;
            say(&format!("`{domain}` is taken from `{tenant}`."))
        }
        DomainCommand::Recheck(days) => {
            let grace = Duration::from_secs(u64::from(days) * 24 * 60 * 60);
            print_again(&domains.recheck(grace).await?)
        }
    }
}

/// Says by name what is not there.
fn claimed<T>(tenant: &Slug, domain: &DomainName, result: Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        Error::NotFound => {
            Error::InvalidInput(format!("the tenant `{tenant}` has not claimed `{domain}`"))
        }
        error => error,
    })
}

fn published(challenge: &Challenge) -> String {
    format!(
        "TXT    {}\nHTTP   {}\nvalue  {}",
        challenge.txt_name, challenge.http_url, challenge.value
    )
}

/// One line for each domain, in columns that a script can cut.
fn print(domains: &[TenantDomain]) -> Result<()> {
    let mut lines = vec![columns(["domain", "state", "proven", "value"])];
    lines.extend(domains.iter().map(|domain| {
        let proven = domain.proven_at.map(|at| at.format("%FT%TZ").to_string());
        columns([
            domain.domain().as_str(),
            match (domain.is_verified(), domain.missing_since) {
                (true, None) => "verified",
                (true, Some(_)) => "missing",
                (false, _) => "claimed",
            },
            proven.as_deref().unwrap_or("-"),
            &domain.challenge.value,
        ])
    }));
    say(&lines.join("\n"))
}

fn print_again(all: &[Rechecked]) -> Result<()> {
    let mut lines = vec![columns(["domain", "finding", "slug", ""])];
    lines.extend(all.iter().map(|one| {
        let (domain, finding) = (one.domain.as_str(), one.finding.as_str());
        columns([domain, finding, one.tenant.as_str(), ""])
    }));
    say(&lines.join("\n"))
}

fn columns([domain, state, third, value]: [&str; 4]) -> String {
    let line = format!("{domain:<40} {state:<9} {third:<21} {value}");
    line.trim_end().to_owned()
}
