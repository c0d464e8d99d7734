//! One running server and the guard that stops it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};

use super::folder::Folder;
use super::record::Process;
use crate::steps::say;
use crate::{interrupt, process};

/// How long a server may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a server may take to follow one stop signal.
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// How often a start is tried on another port.
const ATTEMPTS: usize = 3;

/// Which program a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    Redis,
}

impl Kind {
    /// The program's name, also found in the command line of its process.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis-server",
        }
    }

    /// The reverse of [`Kind::program`].
    pub(crate) fn from_program(name: &str) -> Option<Self> {
        [Self::Postgres, Self::Redis]
            .into_iter()
            .find(|kind| kind.program() == name)
    }

    /// Signals that end it, the friendliest first. PostgreSQL waits for its
    /// clients on SIGTERM; SIGINT is its "fast" and SIGQUIT its "immediate"
    /// shutdown.
    fn stop_signals(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["INT", "QUIT", "KILL"],
            Self::Redis => &["TERM", "KILL"],
        }
    }
}

/// Ends a server, whether or not it is our child. `gone` says when it has.
pub(crate) fn stop(kind: Kind, pid: u32, mut gone: impl FnMut() -> bool) {
    for signal in kind.stop_signals() {
        if gone() {
            return;
        }
        process::signal(pid, signal);
        if process::wait_until(STOP_LIMIT, &mut gone) {
            return;
        }
        say(&format!(
            "{} (process {pid}) did not follow SIG{signal}",
            kind.program()
        ));
    }
}

/// A server that this program started; dropping it stops it.
pub(crate) struct Server {
    kind: Kind,
    port: u16,
    child: Child,
    log: PathBuf,
    kept: bool,
}

impl Server {
    /// Starts `command` and waits until `ready`.
    pub(crate) fn start(
        kind: Kind,
        port: u16,
        mut command: Command,
        folder: &mut Folder,
        mut ready: impl FnMut() -> bool,
    ) -> Result<Self> {
        let log = folder.data().join(format!("{}.log", kind.program()));
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let errors = out.try_clone().context("cannot share a log file")?;
        let child = command
            .current_dir(folder.data())
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors)
            // An own group: Ctrl-C in the terminal must not end the servers
            // while tests still use them, nor those that were kept.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run {}", kind.program()))?;
        let mut server = Self {
            kind,
            port,
            child,
            log,
            kept: false,
        };
        folder.add(Process {
            kind,
            pid: server.child.id(),
            port,
        })?;

        let mut ended = Ok(());
        let answered = process::wait_until(START_LIMIT, || {
            ended = server.check_running().and_then(|()| interrupt::check());
            ended.is_err() || ready()
        });
        ended?;
        if !answered {
            bail!(
                "{} did not answer within {} seconds\n{}",
                kind.program(),
                START_LIMIT.as_secs(),
                tail(&server.log)
            );
        }
        Ok(server)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// An error, with the end of the log, once the server has ended by itself.
    pub(crate) fn check_running(&mut self) -> Result<()> {
        match self
            .child
            .try_wait()
            .context("cannot look after a server")?
        {
            None => Ok(()),
            Some(status) => {
                let program = self.kind.program();
                bail!(
                    "{program} ended by itself with {status}\n{}",
                    tail(&self.log)
                )
            }
        }
    }

    /// Lets it live on after this program.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.kept {
            let pid = self.child.id();
            stop(self.kind, pid, || {
                !matches!(self.child.try_wait(), Ok(None))
            });
        }
    }
}

/// Tries `start` on free ports. A port found free can be taken by another
/// program before the server has it, hence more than one try.
pub(crate) fn with_free_port(mut start: impl FnMut(u16) -> Result<Server>) -> Result<Server> {
    let mut last = anyhow!("no try was made");
    for _ in 0..ATTEMPTS {
        interrupt::check()?;
        match start(free_port()?) {
            Ok(server) => return Ok(server),
            Err(error) => last = error,
        }
        if !format!("{last:#}").contains("already in use") {
            break;
        }
    }
    Err(last)
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot find a port")?;
    Ok(listener.local_addr().context("cannot find a port")?.port())
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(30)..];
    format!("the end of its log:\n  {}", last.join("\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_tried_again_and_other_failures_are_not() {
        let mut tries = 0;
        let taken = with_free_port(|_| {
            tries += 1;
            bail!("bind: Address already in use")
        });
        assert!(taken.is_err());
        assert_eq!(tries, ATTEMPTS);

        tries = 0;
        let other = with_free_port(|_| {
            tries += 1;
            bail!("no such file")
        });
        assert!(other.is_err());
        assert_eq!(tries, 1);
    }
}
