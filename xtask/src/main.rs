//! Development tasks, run as `cargo xtask <command>`.
//!
//! A crate instead of shell scripts, so that a fresh machine needs nothing but
//! Rust to run every check. This file is the command line only: `tasks` says
//! what each command does, `steps` runs and reports, `services` holds the
//! throwaway servers.

#[cfg(not(unix))]
compile_error!("xtask starts and signals servers the Unix way: run it on Linux, macOS or WSL");

mod interrupt;
mod process;
mod services;
mod steps;
mod tasks;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Development tasks of the workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every check against private throwaway servers.
    ///
    /// Finds (on Debian and Ubuntu as root: installs) PostgreSQL, Redis, PgBouncer,
    /// Chromium and Python, to which it adds PyJWT and Schemathesis in the target folder;
    /// starts what it needs on free ports, then checks formatting, lints, tests and
    /// documentation. TENANCY_TEST_POSTGRES_URL (a superuser)
    /// and TENANCY_TEST_REDIS_URL, when set, are used in place of own servers.
    Test {
        /// Run only the tests, with these arguments for the test runner.
        #[arg(last = true, value_name = "FILTER")]
        filter: Vec<OsString>,
    },
    /// Run the benchmarks against private throwaway servers.
    ///
    /// They print times and their ratios to a baseline of the same run. The part
    /// `fleet`, which makes 1,330 tenants, runs by name only.
    /// TENANCY_TEST_POSTGRES_URL (a superuser), when set, is used in place of an
    /// own server.
    Bench {
        /// The parts to run: provisioning, reads, fleet.
        #[arg(last = true, value_name = "PART")]
        parts: Vec<OsString>,
    },
    /// Start PostgreSQL and Redis for development and print how to reach them.
    ///
    /// The lines on the standard output can be given to a shell's `eval`.
    Services {
        /// Leave the servers running after this command.
        #[arg(long, conflicts_with = "stop")]
        keep: bool,
        /// Stop all servers left running by --keep.
        #[arg(long)]
        stop: bool,
    },
    /// Format the code, then check lints and documentation.
    Tidy,
}

fn main() -> ExitCode {
    let outcome = interrupt::listen().and_then(|()| match Cli::parse().command {
        Command::Test { filter } => tasks::test(&filter),
        Command::Bench { parts } => tasks::bench(&parts),
        Command::Services { stop: true, .. } => tasks::services_stop(),
        Command::Services { keep, .. } => tasks::services(keep),
        Command::Tidy => tasks::tidy(),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            steps::say(&format!("error: {error:#}"));
            if interrupt::requested() {
                // What shells report for a program ended by Ctrl-C.
                ExitCode::from(130)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}
