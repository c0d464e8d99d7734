//! Steps: what runs, how long it took, and how to run the failed one again.
//!
//! Children write straight to our own output, so nothing they say is held back
//! or reordered. Everything said here goes to the standard error, where cargo
//! writes too; the standard output is kept for lines made for a shell.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::{Context as _, Result, bail};

use crate::{interrupt, process};

/// The time a step has to end by itself once asked. More than the ten seconds
/// that nextest gives its tests, so that nextest is not killed before them.
const GRACE: Duration = Duration::from_secs(15);

/// Writes a line to the standard error. A closed one is no reason to panic:
/// this is called while guards clean up.
pub(crate) fn say(line: &str) {
    if cfg!(test) {
        // This one the test runner holds back unless the test fails.
        eprintln!("{line}");
    } else {
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// The folder of the workspace.
pub(crate) fn workspace() -> PathBuf {
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest
        .parent()
        .map_or_else(|| manifest.clone(), PathBuf::from)
}

/// A cargo command, with what is added to its environment.
pub(crate) struct Cargo {
    args: Vec<OsString>,
    env: Vec<(&'static str, OsString)>,
}

impl Cargo {
    pub(crate) fn new(args: &[&str]) -> Self {
        Self {
            args: args.iter().map(OsString::from).collect(),
            env: Vec::new(),
        }
    }

    pub(crate) fn args(mut self, args: &[OsString]) -> Self {
        self.args.extend_from_slice(args);
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: &str) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// As it would be typed.
    pub(crate) fn line(&self) -> String {
        let env = self
            .env
            .iter()
            .map(|(name, value)| format!("{name}={}", quoted(value)));
        let args = self.args.iter().map(|arg| quoted(arg));
        env.chain(["cargo".to_owned()])
            .chain(args)
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn run(&self, extra: &[(&'static str, OsString)]) -> Result<()> {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // `cargo run` describes this crate in variables that build scripts
        // look at: passed on, they make the same build start over when cargo
        // is called by hand next.
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        command
            .args(&self.args)
            .envs(extra.iter().map(|(name, value)| (name, value)))
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(workspace())
            // An own group, so that a SIGTERM which reaches only us can be
            // handed on to all of it; such a group cannot read the terminal.
            .process_group(0)
            .stdin(Stdio::null());
        let mut child = command.spawn().context("cannot run cargo")?;
        let mut asked: Option<Instant> = None;
        let status = loop {
            if let Some(status) = child.try_wait().context("cannot wait for cargo")? {
                break status;
            }
            match asked {
                None if interrupt::requested() => {
                    process::signal_group(child.id(), "TERM");
                    asked = Some(Instant::now());
                }
                Some(since) if since.elapsed() > GRACE => {
                    process::signal_group(child.id(), "KILL");
                }
                _ => {}
            }
            thread::sleep(process::TICK);
        };
        if asked.is_some() {
            // cargo does not wait for the test programs it started.
            process::signal_group(child.id(), "KILL");
        }
        interrupt::check()?;
        if !status.success() {
            bail!("the command ended with {status}");
        }
        Ok(())
    }
}

fn quoted(arg: &OsStr) -> String {
    let text = arg.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Runs steps and remembers them for the table at the end.
#[derive(Default)]
pub(crate) struct Steps {
    env: Vec<(&'static str, OsString)>,
    done: Vec<(&'static str, bool, Duration)>,
}

impl Steps {
    /// Gives these variables to the cargo steps that follow.
    pub(crate) fn set_env(&mut self, env: Vec<(&'static str, OsString)>) {
        self.env = env;
    }

    /// Runs a cargo command; `rerun` is what to type to repeat it alone.
    pub(crate) fn cargo(
        &mut self,
        title: &'static str,
        cargo: &Cargo,
        rerun: Option<&str>,
    ) -> Result<()> {
        let line = cargo.line();
        let env = self.env.clone();
        self.run(title, &line, rerun.unwrap_or(&line), || cargo.run(&env))
    }

    /// Runs any work as a step.
    pub(crate) fn run<T>(
        &mut self,
        title: &'static str,
        line: &str,
        rerun: &str,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        interrupt::check()?;
        say(&format!("\n==> {title}: {line}"));
        let start = Instant::now();
        let outcome = work();
        let took = start.elapsed();
        self.done.push((title, outcome.is_ok(), took));
        match &outcome {
            Ok(_) => say(&format!("<== {title}: done in {}", seconds(took))),
            Err(_) if interrupt::requested() => {}
            Err(_) => {
                say(&format!("<== {title}: FAILED after {}", seconds(took)));
                say(&format!("    to run it again: {rerun}"));
            }
        }
        outcome.with_context(|| format!("step \"{title}\""))
    }

    /// Prints the table of all steps that ran.
    pub(crate) fn summary(&self) {
        say("\nSummary");
        for (title, good, took) in &self.done {
            let mark = if *good { "ok" } else { "FAILED" };
            say(&format!("  {title:<12} {mark:<6} {:>9}", seconds(*took)));
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let cargo = Cargo::new(&["doc", "--workspace"])
            .args(&["it's".into()])
            .env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(
            cargo.line(),
            r"RUSTDOCFLAGS='-D warnings' cargo doc --workspace 'it'\''s'"
        );
    }

    #[test]
    fn a_failed_step_is_kept_for_the_summary() {
        let mut steps = Steps::default();
        assert!(steps.run("good", "true", "true", || Ok(())).is_ok());
        let error = steps.run("bad", "false", "false", || -> Result<()> { bail!("no") });
        assert_eq!(format!("{:#}", error.unwrap_err()), "step \"bad\": no");
        let marks: Vec<_> = steps
            .done
            .iter()
            .map(|(title, good, _)| (*title, *good))
            .collect();
        assert_eq!(marks, [("good", true), ("bad", false)]);
    }
}
