//! What each command does, step by step.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result};

use crate::services::tools::{Need, Tools};
use crate::services::{POSTGRES_URL, PYTHON, REDIS_URL, Services, Want, folder, python};
use crate::steps::{Cargo, Steps, say};
use crate::{interrupt, process};

/// `cargo xtask test`.
pub(crate) fn test(filter: &[OsString]) -> Result<()> {
    let mut steps = Steps::default();
    let outcome = test_steps(&mut steps, filter);
    steps.summary();
    outcome?;
    say("\nAll steps passed.");
    Ok(())
}

fn test_steps(steps: &mut Steps, filter: &[OsString]) -> Result<()> {
    // Not only started here: tests configure or kill servers of their own.
    let own = [Need::Chromium, Need::PgBouncer, Need::Python, Need::Redis];
    let _services = servers(steps, "cargo xtask test", &own)?;

    if filter.is_empty() {
        steps.cargo(
            "format",
            &Cargo::new(&["fmt", "--all", "--check"]),
            Some("cargo xtask tidy"),
        )?;
        steps.cargo("lints", &lints(), None)?;
    }
    let tests = if has_nextest() {
        Cargo::new(&[
            "nextest",
            "run",
            "--workspace",
            "--all-features",
            "--locked",
        ])
    } else {
        say("cargo-nextest is not installed: the tests run with the slower `cargo test`");
        let args = ["test", "--workspace", "--all-features", "--locked"];
        Cargo::new(&args).args(&["--lib", "--bins", "--tests"].map(OsString::from))
    };
    // What outsiders send is read by parsers; each is tried on more than the usual
    // 256 texts.
    let tests = match std::env::var_os(CASES) {
        Some(_) => tests,
        None => tests.env(CASES, "1000"),
    };
    let rerun_tests = "cargo xtask test -- <part of a test's name>";
    steps.cargo("tests", &tests.args(filter), Some(rerun_tests))?;
    if !filter.is_empty() {
        return Ok(());
    }
    let doc_tests = Cargo::new(&["test", "--workspace", "--all-features", "--locked", "--doc"]);
    let rerun = format!(
        "eval \"$(cargo xtask services --keep)\"; {}",
        doc_tests.line()
    );
    steps.cargo("doc tests", &doc_tests, Some(&rerun))?;
    steps.cargo("docs", &docs(), None)
}

/// `cargo xtask bench`.
pub(crate) fn bench(parts: &[OsString]) -> Result<()> {
    let mut steps = Steps::default();
    let outcome = bench_steps(&mut steps, parts);
    steps.summary();
    outcome
}

fn bench_steps(steps: &mut Steps, parts: &[OsString]) -> Result<()> {
    let again = "cargo xtask bench";
    let _services = servers(steps, again, &[])?;
    let args = [
        "bench",
        "--package",
        "integration",
        "--bench",
        "bench",
        "--locked",
        "--",
    ];
    steps.cargo("benchmarks", &Cargo::new(&args).args(parts), Some(again))
}

/// Starts the servers, and tells the steps that follow where they are.
fn servers(steps: &mut Steps, again: &str, also: &[Need]) -> Result<Services> {
    let want = Want::from_env();
    let mut needs = want.needs();
    needs.extend(also.iter().filter(|need| !want.needs().contains(need)));
    let tools = steps.run(
        "programs",
        "find or install the servers' programs",
        again,
        || Tools::find_or_install(&needs),
    )?;
    let services = steps.run("services", &want.describe(), again, || {
        Services::start(&tools, &want)
    })?;
    let mut env = services.test_env(&tools);
    if also.contains(&Need::Python) {
        let title = "Python";
        let program = steps.run(title, "find or install its packages", again, || {
            python::with_packages(&tools)
        })?;
        env.push((PYTHON, program.into()));
    }
    steps.set_env(env);
    Ok(services)
}

/// How often properties are tried, as `proptest` reads it.
const CASES: &str = "PROPTEST_CASES";

/// `cargo xtask tidy`.
pub(crate) fn tidy() -> Result<()> {
    let mut steps = Steps::default();
    let outcome = steps
        .cargo("format", &Cargo::new(&["fmt", "--all"]), None)
        .and_then(|()| steps.cargo("lints", &lints(), None))
        .and_then(|()| steps.cargo("docs", &docs(), None));
    steps.summary();
    outcome
}

/// `cargo xtask services`, with and without `--keep`.
pub(crate) fn services(keep: bool) -> Result<()> {
    let want = Want::both();
    let tools = Tools::find_or_install(&want.needs())?;
    let mut services = Services::start(&tools, &want)?;
    let database = services.create_development_database(&tools)?;
    let lines = [
        ("TENANCY_DATABASE_URL", database.app_url),
        ("TENANCY_OWNER_DATABASE_URL", database.owner_url),
        ("TENANCY_SYSTEM_DATABASE_URL", database.system_url),
        (POSTGRES_URL, services.postgres_url().to_owned()),
        (REDIS_URL, services.redis_url().to_owned()),
    ];
    let mut out = io::stdout().lock();
    for (name, url) in lines {
        writeln!(out, "export {name}='{url}'").context("cannot write to the standard output")?;
    }
    out.flush().context("cannot write to the standard output")?;
    drop(out);

    if keep {
        services.keep()?;
        say("The servers go on running. To stop them: cargo xtask services --stop");
        return Ok(());
    }
    say("The servers run until Ctrl-C.");
    while !interrupt::requested() {
        services.check_running()?;
        thread::sleep(process::TICK);
    }
    say("Stopping the servers.");
    Ok(())
}

/// `cargo xtask services --stop`.
pub(crate) fn services_stop() -> Result<()> {
    match folder::stop_kept()? {
        0 => say("No kept servers were running."),
        count => say(&format!("Stopped {count} servers.")),
    }
    Ok(())
}

fn lints() -> Cargo {
    let args = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--locked",
    ];
    Cargo::new(&args).args(&["--", "-D", "warnings"].map(OsString::from))
}

fn docs() -> Cargo {
    Cargo::new(&[
        "doc",
        "--workspace",
        "--no-deps",
        "--all-features",
        "--locked",
    ])
    .env("RUSTDOCFLAGS", "-D warnings")
}

fn has_nextest() -> bool {
    Command::new("cargo")
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
