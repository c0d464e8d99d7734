use std::fmt::Write as _;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use super::Command;
use crate::config::variables;
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
    /// Make the registry and the tables that are missing, then verify
    Migrate,
    /// Check roles, tables, policies and grants, and say what mends them
    Verify,
    /// List, create, suspend and activate tenants
    #[command(subcommand)]
    Tenants(Tenants),
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
    },
    /// Keep a tenant out; its data stays
    Suspend {
        /// The tenant's public name
        #[arg(value_parser = slug)]
        slug: Slug,
    },
    /// Let a suspended tenant in again
    Activate {
        /// The tenant's public name
        #[arg(value_parser = slug)]
        slug: Slug,
    },
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
            Some(Subcommands::Migrate) => Self::Migrate,
            Some(Subcommands::Verify) => Self::Verify,
            Some(Subcommands::Tenants(tenants)) => tenants.into(),
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
            } => {
                let mut new = NewTenant::from(slug);
                new.name = name.unwrap_or(new.name);
                new.plan = plan;
                new.features.extend(features);
                Self::Create(new)
            }
            Tenants::Suspend { slug } => Self::Suspend(slug),
            Tenants::Activate { slug } => Self::Activate(slug),
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
        assert_eq!(parsed(&["migrate"]), Command::Migrate);
        assert_eq!(parsed(&["verify"]), Command::Verify);
        assert_eq!(parsed(&["tenants", "list"]), Command::List);
        assert_eq!(
            parsed(&["tenants", "suspend", "acme-corp"]),
            Command::Suspend(acme.clone())
        );
        assert_eq!(
            parsed(&["tenants", "activate", "acme-corp"]),
            Command::Activate(acme)
        );
        let new = NewTenant::new("acme-corp")
            .unwrap()
            .name("Acme")
            .plan("pro")
            .feature("exports");
        let line = "tenants create acme-corp --name Acme --plan pro --feature exports";
        assert_eq!(
            parsed(&line.split(' ').collect::<Vec<_>>()),
            Command::Create(new)
        );
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
