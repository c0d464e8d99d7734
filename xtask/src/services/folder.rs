//! The folders of throwaway servers, and what is left of runs that were killed.
//!
//! `target/services/<process id>/record` lists the servers of one run. A run
//! that is killed cannot stop them; the next run finds its record, stops what
//! it names and removes the data.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs, io, path, process as this};

use anyhow::{Context as _, Result};

use super::record::{Process, Record};
use super::server;
use crate::process::{self, Account};
use crate::steps::{say, workspace};

/// How data folders outside of the target folder are named.
const OUTSIDE_PREFIX: &str = "tenancy-services-";

/// The folder of this run; dropping it removes it.
pub(crate) struct Folder {
    path: PathBuf,
    data: PathBuf,
    record: Record,
}

impl Folder {
    /// Creates it, with a data folder in which `account` can work.
    pub(crate) fn create(account: Option<&Account>) -> Result<Self> {
        let path = all_runs()?.join(this::id().to_string());
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let mut folder = Self {
            data: path.join("data"),
            path,
            record: Record::default(),
        };
        if account.is_some_and(|account| !account.can_enter(&folder.path)) {
            // A checkout below /root, say: only root can enter it.
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            let name = format!("{OUTSIDE_PREFIX}{}-{}", this::id(), now.as_nanos());
            folder.data = env::temp_dir().join(name);
            folder.record.outside = Some(folder.data.clone());
            folder.write_record()?;
        }
        let data = &folder.data;
        let failed = || format!("cannot create {}", data.display());
        fs::create_dir(data).with_context(failed)?;
        fs::set_permissions(data, fs::Permissions::from_mode(0o700)).with_context(failed)?;
        if let Some(account) = account {
            chown(data, Some(account.uid), Some(account.gid)).with_context(failed)?;
        }
        Ok(folder)
    }

    /// Where servers keep their files.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Notes a server, before anything else can go wrong with it.
    pub(crate) fn add(&mut self, server: Process) -> Result<()> {
        self.record.servers.push(server);
        self.write_record()
    }

    /// Lets the folder outlive this run, for `services --stop` to find.
    pub(crate) fn keep(&mut self) -> Result<()> {
        self.record.kept = true;
        self.write_record()
    }

    fn write_record(&self) -> Result<()> {
        let path = self.path.join("record");
        fs::write(&path, self.record.to_text())
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.record.kept {
            remove(&self.path, &self.record);
        }
    }
}

/// Stops the servers of runs that were killed and removes their data. Kept
/// servers are left alone as long as one of them runs.
pub(crate) fn remove_stale() {
    for (path, record) in runs() {
        let owner = path
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok());
        let owned = owner.is_some_and(|pid| {
            pid != this::id()
                && process::command_line(pid).is_some_and(|line| line.contains("xtask"))
        });
        let kept = record.kept && record.servers.iter().any(Process::is_running);
        if !owned && !kept {
            say(&format!(
                "removing what an ended run left in {}",
                path.display()
            ));
            stop_servers(&record);
            remove(&path, &record);
        }
    }
}

/// Stops all kept servers and says how many ran.
pub(crate) fn stop_kept() -> Result<usize> {
    all_runs()?;
    let kept = runs().into_iter().filter(|(_, record)| record.kept);
    Ok(kept
        .map(|(path, record)| {
            let stopped = stop_servers(&record);
            remove(&path, &record);
            stopped
        })
        .sum())
}

fn stop_servers(record: &Record) -> usize {
    let running = record.servers.iter().filter(|server| server.is_running());
    running
        .map(|server| server::stop(server.kind, server.pid, || !server.is_running()))
        .count()
}

fn remove(path: &Path, record: &Record) {
    // What a record names is removed only where this program puts it.
    let ours = |outside: &&PathBuf| {
        let name = outside.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with(OUTSIDE_PREFIX)
    };
    // The record goes last, or nothing would remember the rest.
    for folder in record
        .outside
        .iter()
        .filter(ours)
        .map(PathBuf::as_path)
        .chain([path])
    {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                say(&format!("cannot remove {}: {error}", folder.display()));
                return;
            }
            _ => {}
        }
    }
}

fn runs() -> Vec<(PathBuf, Record)> {
    let entries = all_runs().ok().and_then(|folder| fs::read_dir(folder).ok());
    let paths = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    paths
        .map(|path| {
            let text = fs::read_to_string(path.join("record")).unwrap_or_default();
            (path, Record::parse(&text))
        })
        .collect()
}

/// The folder that holds the folders of all runs.
fn all_runs() -> Result<PathBuf> {
    Ok(target()?.join("services"))
}

/// The target folder.
pub(super) fn target() -> Result<PathBuf> {
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| workspace().join("target"));
    path::absolute(target).context("cannot find the target folder")
}
