//! Other processes: who runs them, how to signal them, how to wait for them.
//!
//! Signals go through the shell's built-in `kill`: the standard library has no
//! safe call for them, and `sh` is there even where the `kill` program is not.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// How often a waiting loop looks again.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// An account that servers run as, because PostgreSQL and PgBouncer refuse to
/// run as root.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) name: &'static str,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Account {
    /// The account to drop to; `None` unless we are root.
    pub(crate) fn to_drop_to() -> Option<Self> {
        if !is_root() {
            return None;
        }
        ["postgres", "nobody"].into_iter().find_map(|name| {
            let uid = id(&["-u", name])?;
            let gid = id(&["-g", name])?;
            Some(Self { name, uid, gid })
        })
    }

    /// Whether this account may enter `folder`. It is asked by trying, since
    /// every parent folder counts.
    pub(crate) fn can_enter(&self, folder: &Path) -> bool {
        command_as("sh", Some(self))
            .args(["-c", "cd \"$1\"", "sh"])
            .arg(folder)
            .current_dir("/")
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

/// A command that runs as `account`, or as ourselves without one. The standard
/// library drops root's supplementary groups along with the user.
pub(crate) fn command_as(program: impl AsRef<OsStr>, account: Option<&Account>) -> Command {
    let mut command = Command::new(program);
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    command
}

/// Whether we are root.
pub(crate) fn is_root() -> bool {
    id(&["-u"]) == Some(0)
}

fn id(args: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(args).output().ok()?;
    if !output.status.success() {
        return None;
    }
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// Sends a signal, named without `SIG`, to one process.
pub(crate) fn signal(pid: u32, name: &str) {
    kill(name, &pid.to_string());
}

/// Sends a signal to a process group.
pub(crate) fn signal_group(leader: u32, name: &str) {
    kill(name, &format!("-{leader}"));
}

fn kill(name: &str, target: &str) {
    // A process that has just ended is no error here.
    let _ = Command::new("sh")
        .args(["-c", "kill -s \"$1\" -- \"$2\"", "sh", name, target])
        .stderr(Stdio::null())
        .status();
}

/// The command line of a running process; empty or `None` when it has ended.
/// It tells a process from a later one that was given the same id.
pub(crate) fn command_line(pid: u32) -> Option<String> {
    if Path::new("/proc/self").exists() {
        let raw = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        return Some(String::from_utf8_lossy(&raw).replace('\0', " "));
    }
    let pid = pid.to_string();
    let output = Command::new("ps")
        .args(["-o", "command=", "-p", &pid])
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Looks until `done` holds or the time is over; says whether it held.
pub(crate) fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if done() {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
        thread::sleep(TICK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_reaches_its_process() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        // A process that has just started shows its command line a bit later.
        let shown = || command_line(child.id()).is_some_and(|line| line.contains("sleep"));
        assert!(wait_until(Duration::from_secs(10), shown));
        signal(child.id(), "TERM");
        assert!(wait_until(Duration::from_secs(10), || child
            .try_wait()
            .unwrap()
            .is_some()));
    }

    #[test]
    fn a_signal_reaches_a_whole_group() {
        let mut child = Command::new("sh")
            .args(["-c", "sleep 60; true"])
            .process_group(0)
            .spawn()
            .unwrap();
        signal_group(child.id(), "KILL");
        assert!(wait_until(Duration::from_secs(10), || child
            .try_wait()
            .unwrap()
            .is_some()));
    }
}
