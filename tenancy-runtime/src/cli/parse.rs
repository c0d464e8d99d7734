use std::convert::Infallible;
use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

#[cfg(feature = "domains")]
use super::DomainCommand;
#[cfg(feature = "encryption")]
use super::SecretsCommand;
use super::{Command, GivenMetadata};
use crate::config::variables;
#[cfg(feature = "domains")]
use crate::domains::{DomainName, InvalidDomainName};
use crate::tenant::{InvalidSlug, NewTenant, Slug};

#[derive(Parser)]
#[command(about = "A multi-tenant application. Without a command it serves.")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Subcommands>,
}

#[derive(Subcommand)]
enum Subcommands {
    /// Answer requests until Ctrl-C or SIGTERM (the default)
    Serve,
    /// Make the registry and the tables that are missing, apply migrations, then verify
    Migrate {
        /// This tenant's tables only
        #[arg(long, value_name = "SLUG", value_parser = slug)]
        tenant: Option<Slug>,
    },
    /// Check roles, tables, policies and grants, and say what mends them
    Verify,
    /// List and create tenants, and see them through their lives
    #[command(subcommand)]
    Tenants(Tenants),
    /// Keep secrets for tenants, encrypted with TENANCY_ENCRYPTION_KEY, and rotate its keys
    #[cfg(feature = "encryption")]
    #[command(subcommand)]
    Secrets(Secrets),
    /// See to the domains that tenants bring
    #[cfg(feature = "domains")]
    #[command(subcommand)]
    Domains(Domains),
}

#[cfg(feature = "encryption")]
#[derive(Subcommand)]
enum Secrets {
    /// Print a new key as id:key; it needs no configuration
    GenerateKey {
        /// Tells the key from others: up to 32 of a-z, A-Z, 0-9, `_`, `.` and `-` [default: today]
        #[arg(long)]
        id: Option<String>,
    },
    /// Keep for a tenant what stands on the standard input
    Set {
        /// The tenant's public name
        #[arg(value_parser = slug)]
        slug: Slug,
        /// The secret's name: up to 100 of a-z, 0-9, `_`, `.` and `-`
        name: String,
    },
    /// Print the names of a tenant's secrets
    List {
        /// The tenant's public name
        #[arg(value_parser = slug)]
        slug: Slug,
    },
    /// Remove a tenant's secret
    Remove {
        /// The tenant's public name
        #[arg(value_parser = slug)]
        slug: Slug,
        /// The secret's name
        name: String,
    },
    /// Print how many secrets each key has encrypted
    Keys,
    /// Re-encrypt with the first key what others have encrypted; may be cut off and repeated
    Rotate,
}

#[derive(Subcommand)]
enum Tenants {
    /// Print every tenant
    List,
    /// Register a tenant and make its tables
    Create {
        /// The public name: 3 to 63 characters of a-z, 0-9 and `-`
        #[arg(value_parser = slug)]
        slug: Slug,
        /// The name for people [default: the slug]
        #[arg(long)]
        name: Option<String>,
        /// The plan
        #[arg(long)]
        plan: Option<String>,
        /// A feature the tenant has; may be repeated
        #[arg(long = "feature", value_name = "FEATURE")]
        features: Vec<String>,
        /// What the application keeps with it, as a JSON object; `-` reads it from the
        /// standard input, where {"$secret": "…"} may stand in it
        #[arg(long, value_name = "JSON", value_parser = metadata, allow_hyphen_values = true)]
        metadata: Option<GivenMetadata>,
        /// Make its database by logins of its own, and reach it by them: two lines on the
        /// standard input, as postgres://user:password@host:5432/{database_name}, the
        /// application role's and the owner's, with `--metadata -` the metadata behind them
        #[cfg(feature = "encryption")]
        #[arg(long)]
        own_logins: bool,
    },
    /// Give a tenant other logins of its own, from the standard input as for `create`
    #[cfg(feature = "encryption")]
    SetLogins {
        /// The tenant's public name
        #[arg(value_parser = slug)]
        slug: Slug,
    },
    /// Put a tenant on another plan
    Plan {
        /// The tenant's public name
        #[arg(value_parser = slug)]
        slug: Slug,
        /// The plan
        plan: String,
    },
    /// Give a tenant a feature, whatever its plan says
    Grant(Exception),
    /// Take a feature from a tenant, whatever its plan says
    Revoke(Exception),
    /// Leave a feature to a tenant's plan again
    Reset {
        /// The tenant's public name
        #[arg(value_parser = slug)]
        slug: Slug,
        /// The feature
        feature: String,
    },
    /// Store other metadata of a tenant
    Metadata {
        /// The tenant's public name
        #[arg(value_parser = slug)]
        slug: Slug,
        /// All of it, as a JSON object; `-` reads it from the standard input, where
        /// {"$secret": "…"} may stand in it. {"$secret": null} keeps the secret that is stored
        #[arg(value_name = "JSON", value_parser = metadata, allow_hyphen_values = true)]
        metadata: GivenMetadata,
    },
    /// Keep tenants out; their data stays
    Suspend {
        /// The tenants' public names
        #[arg(value_parser = slug, required = true, value_name = "SLUG")]
        slugs: Vec<Slug>,
    },
    /// Let suspended tenants in again
    Activate {
        /// The tenants' public names
        #[arg(value_parser = slug, required = true, value_name = "SLUG")]
        slugs: Vec<Slug>,
    },
    /// Give a tenant another public name; no data moves, and the old name is free
    Rename {
        /// The tenant's public name
        #[arg(value_parser = slug)]
        slug: Slug,
        /// The name it gets
        #[arg(value_parser = slug)]
        to: Slug,
    },
    /// Keep a tenant out until it is restored or destroyed; its data and its name stay
    Delete {
        /// The tenant's public name
        #[arg(value_parser = slug)]
        slug: Slug,
    },
    /// Make a deleted tenant what it was before
    Restore {
        /// The tenant's public name
        #[arg(value_parser = slug)]
        slug: Slug,
    },
    /// Remove all data of a deleted tenant for good, and print the receipt
    Destroy {
        /// The tenant's public name
        #[arg(value_parser = slug)]
        slug: Slug,
        /// Yes, all of it: there is no way back
        #[arg(long, required = true)]
        yes: bool,
    },
    /// Print the receipt of a destroyed tenant
    Receipt {
        /// The tenant's last public name
        #[arg(value_parser = slug)]
        slug: Slug,
    },
}

#[derive(Args)]
struct Exception {
    /// The tenant's public name
    #[arg(value_parser = slug)]
    slug: Slug,
    /// The feature
    feature: String,
    /// The end of it: a date (its first moment in UTC) or a time (RFC 3339) [default: none]
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<DateTime<Utc>>,
}

/// A date or a time with its offset.
fn time(text: &str) -> Result<DateTime<Utc>, chrono::ParseError> {
    match text.parse::<NaiveDate>() {
        Ok(date) => Ok(date.and_time(NaiveTime::MIN).and_utc()),
        Err(_) => DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as parsers of arguments are")]
fn metadata(text: &str) -> Result<GivenMetadata, Infallible> {
    Ok(match text {
        "-" => GivenMetadata::Input,
        text => GivenMetadata::Spelt(text.to_owned()),
    })
}

#[cfg(feature = "domains")]
#[derive(Subcommand)]
enum Domains {
    /// Take note that a tenant wants a domain, and print what proves it
    Claim(TheDomain),
    /// Look for the proof; from then on the domain is the tenant's
    Verify(TheDomain),
    /// Print the domains that a tenant has claimed
    List {
        /// The tenant's public name
        #[arg(value_parser = slug)]
        slug: Slug,
    },
    /// Take a domain from a tenant
    Remove(TheDomain),
    /// Look at every verified domain again, and take away those whose proof is gone
    Recheck {
        /// For how many days a proof may be away
        #[arg(long, value_name = "DAYS", default_value_t = 7)]
        grace_days: u16,
    },
}

#[cfg(feature = "domains")]
#[derive(clap::Args)]
struct TheDomain {
    /// The tenant's public name
    #[arg(value_parser = slug)]
    slug: Slug,
    /// The domain, as app.customer.com
    #[arg(value_parser = domain)]
    domain: DomainName,
}

#[cfg(feature = "domains")]
fn domain(text: &str) -> Result<DomainName, InvalidDomainName> {
    text.parse()
}

fn slug(text: &str) -> Result<Slug, InvalidSlug> {
    text.parse()
}

/// Reads the process's arguments; `--help`, `--version` and mistakes end it.
pub(crate) fn parse(name: &'static str, version: &'static str) -> Command {
    let command = Arguments::command()
        .name(name)
        .version(version)
        .after_help(environment());
    let matches = command.get_matches();
    match Arguments::from_arg_matches(&matches) {
        Ok(arguments) => arguments.into(),
        Err(error) => error.exit(),
    }
}

impl From<Arguments> for Command {
    fn from(arguments: Arguments) -> Self {
        match arguments.command {
            None | Some(Subcommands::Serve) => Self::Serve,
            Some(Subcommands::Migrate { tenant }) => Self::Migrate(tenant),
            Some(Subcommands::Verify) => Self::Verify,
            Some(Subcommands::Tenants(tenants)) => tenants.into(),
            #[cfg(feature = "encryption")]
            Some(Subcommands::Secrets(secrets)) => Self::Secrets(secrets.into()),
            #[cfg(feature = "domains")]
            Some(Subcommands::Domains(domains)) => Self::Domains(domains.into()),
        }
    }
}

#[cfg(feature = "encryption")]
impl From<Secrets> for SecretsCommand {
    fn from(secrets: Secrets) -> Self {
        match secrets {
            Secrets::GenerateKey { id } => Self::GenerateKey(id),
            Secrets::Set { slug, name } => Self::Set(slug, name),
            Secrets::List { slug } => Self::List(slug),
            Secrets::Remove { slug, name } => Self::Remove(slug, name),
            Secrets::Keys => Self::Keys,
            Secrets::Rotate => Self::Rotate,
        }
    }
}

impl From<Tenants> for Command {
    fn from(tenants: Tenants) -> Self {
        match tenants {
            Tenants::List => Self::List,
            Tenants::Create {
                slug,
                name,
                plan,
                features,
                metadata,
                #[cfg(feature = "encryption")]
                own_logins,
            } => {
                let mut new = NewTenant::from(slug);
                new.name = name.unwrap_or(new.name);
                new.plan = plan;
                new.features.extend(features);
                #[cfg(feature = "encryption")]
                if own_logins {
                    return Self::CreateWithLogins(new, metadata);
                }
                Self::Create(new, metadata)
            }
            #[cfg(feature = "encryption")]
            Tenants::SetLogins { slug } => Self::SetLogins(slug),
            Tenants::Plan { slug, plan } => Self::Plan(slug, plan),
            Tenants::Grant(of) => Self::Grant(of.slug, of.feature, of.until),
            Tenants::Revoke(of) => Self::Revoke(of.slug, of.feature, of.until),
            Tenants::Reset { slug, feature } => Self::Reset(slug, feature),
            Tenants::Metadata { slug, metadata } => Self::Metadata(slug, metadata),
            Tenants::Suspend { slugs } => Self::Suspend(slugs),
            Tenants::Activate { slugs } => Self::Activate(slugs),
            Tenants::Rename { slug, to } => Self::Rename(slug, to),
            Tenants::Delete { slug } => Self::Delete(slug),
            Tenants::Restore { slug } => Self::Restore(slug),
            Tenants::Destroy { slug, .. } => Self::Destroy(slug),
            Tenants::Receipt { slug } => Self::Receipt(slug),
        }
    }
}

#[cfg(feature = "domains")]
impl From<Domains> for DomainCommand {
    fn from(domains: Domains) -> Self {
        match domains {
            Domains::Claim(TheDomain { slug, domain }) => Self::Claim(slug, domain),
            Domains::Verify(TheDomain { slug, domain }) => Self::Verify(slug, domain),
            Domains::List { slug } => Self::List(slug),
            Domains::Remove(TheDomain { slug, domain }) => Self::Remove(slug, domain),
            Domains::Recheck { grace_days } => Self::Recheck(grace_days),
        }
    }
}

/// The variables, for the end of `--help`.
fn environment() -> String {
    let mut text = "Environment (a .env file is read as well):\n".to_owned();
    for variable in variables() {
        let _ = write!(
            text,
            "\n  {}\n      {} [default: {}]",
            variable.name, variable.what, variable.default
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Command {
        let all = ["shop"].iter().chain(arguments);
        Arguments::try_parse_from(all).unwrap().into()
    }

    #[test]
    fn every_command_is_read() {
        Arguments::command().debug_assert();
        let acme: Slug = "acme-corp".parse().unwrap();
        assert_eq!(parsed(&[]), Command::Serve);
        assert_eq!(parsed(&["serve"]), Command::Serve);
        assert_eq!(parsed(&["migrate"]), Command::Migrate(None));
        assert_eq!(
            parsed(&["migrate", "--tenant", "acme-corp"]),
            Command::Migrate(Some(acme.clone()))
        );
        assert_eq!(parsed(&["verify"]), Command::Verify);
        assert_eq!(parsed(&["tenants", "list"]), Command::List);
        let globex: Slug = "globex".parse().unwrap();
        let new_year = "2027-01-01T00:00:00Z".parse().unwrap();
        for (line, command) in [
            (
                "suspend acme-corp globex",
                Command::Suspend(vec![acme.clone(), globex.clone()]),
            ),
            (
                "plan acme-corp pro",
                Command::Plan(acme.clone(), "pro".to_owned()),
            ),
            (
                "grant acme-corp exports --until 2027-01-01",
                Command::Grant(acme.clone(), "exports".to_owned(), Some(new_year)),
            ),
            (
                "revoke acme-corp exports --until 2027-01-01T01:00:00+01:00",
                Command::Revoke(acme.clone(), "exports".to_owned(), Some(new_year)),
            ),
            (
                "reset acme-corp exports",
                Command::Reset(acme.clone(), "exports".to_owned()),
            ),
            (
                "metadata acme-corp {\"theme\":\"dark\"}",
                Command::Metadata(
                    acme.clone(),
                    GivenMetadata::Spelt("{\"theme\":\"dark\"}".to_owned()),
                ),
            ),
            (
                "metadata acme-corp -",
                Command::Metadata(acme.clone(), GivenMetadata::Input),
            ),
            ("activate acme-corp", Command::Activate(vec![acme.clone()])),
            (
                "rename acme-corp globex",
                Command::Rename(acme.clone(), globex),
            ),
            ("delete acme-corp", Command::Delete(acme.clone())),
            ("restore acme-corp", Command::Restore(acme.clone())),
            ("destroy acme-corp --yes", Command::Destroy(acme.clone())),
            ("receipt acme-corp", Command::Receipt(acme)),
        ] {
            let arguments: Vec<_> = ["tenants"].into_iter().chain(line.split(' ')).collect();
            assert_eq!(parsed(&arguments), command);
        }
        // Without a word of confirmation nothing is removed.
        let unsure = ["shop", "tenants", "destroy", "acme-corp"];
        assert!(Arguments::try_parse_from(unsure).is_err());
        let new = NewTenant::new("acme-corp")
            .unwrap()
            .name("Acme")
            .plan("pro")
            .feature("exports");
        let line = "tenants create acme-corp --name Acme --plan pro --feature exports";
        assert_eq!(
            parsed(&line.split(' ').collect::<Vec<_>>()),
            Command::Create(new, None)
        );
    }

    #[cfg(feature = "encryption")]
    #[test]
    fn a_secret_is_never_an_argument() {
        let acme: Slug = "acme-corp".parse().unwrap();
        let name = || "smtp".to_owned();
        for (line, command) in [
            ("generate-key", SecretsCommand::GenerateKey(None)),
            (
                "generate-key --id b",
                SecretsCommand::GenerateKey(Some("b".to_owned())),
            ),
            (
                "set acme-corp smtp",
                SecretsCommand::Set(acme.clone(), name()),
            ),
            ("list acme-corp", SecretsCommand::List(acme.clone())),
            (
                "remove acme-corp smtp",
                SecretsCommand::Remove(acme, name()),
            ),
            ("keys", SecretsCommand::Keys),
            ("rotate", SecretsCommand::Rotate),
        ] {
            let arguments: Vec<_> = ["secrets"].into_iter().chain(line.split(' ')).collect();
            assert_eq!(parsed(&arguments), Command::Secrets(command));
        }
        let spoken = ["shop", "secrets", "set", "acme-corp", "smtp", "hunter2"];
        assert!(Arguments::try_parse_from(spoken).is_err());
        let new = NewTenant::new("acme-corp").unwrap();
        let create = ["tenants", "create", "acme-corp", "--own-logins"];
        assert_eq!(parsed(&create), Command::CreateWithLogins(new, None));
        let set = ["tenants", "set-logins", "acme-corp"];
        let acme = "acme-corp".parse().unwrap();
        assert_eq!(parsed(&set), Command::SetLogins(acme));
        let spoken = ["shop", "tenants", "set-logins", "acme-corp", "postgres://a"];
        assert!(Arguments::try_parse_from(spoken).is_err());
    }

    #[cfg(feature = "domains")]
    #[test]
    fn every_command_for_domains_is_read() {
        let acme = || "acme-corp".parse().unwrap();
        let domain = || "app.customer.com".parse().unwrap();
        for (line, command) in [
            (
                "claim acme-corp App.Customer.com",
                DomainCommand::Claim(acme(), domain()),
            ),
            (
                "verify acme-corp app.customer.com",
                DomainCommand::Verify(acme(), domain()),
            ),
            ("list acme-corp", DomainCommand::List(acme())),
            (
                "remove acme-corp app.customer.com",
                DomainCommand::Remove(acme(), domain()),
            ),
            ("recheck", DomainCommand::Recheck(7)),
            ("recheck --grace-days 30", DomainCommand::Recheck(30)),
        ] {
            let arguments: Vec<_> = ["domains"].into_iter().chain(line.split(' ')).collect();
            assert_eq!(parsed(&arguments), Command::Domains(command), "{line}");
        }
        let address = ["shop", "domains", "claim", "acme-corp", "127.0.0.1"];
        assert!(Arguments::try_parse_from(address).is_err());
    }

    #[test]
    fn a_bad_slug_is_refused_by_rule_and_help_names_every_variable() {
        let refused = Arguments::try_parse_from(["shop", "tenants", "create", "Acme"]);
        let message = refused.err().unwrap().to_string();
        assert!(
            message.contains("a slug has 3 to 63 characters"),
            "{message}"
        );
        for variable in variables() {
            assert!(environment().contains(variable.name));
        }
    }
}
